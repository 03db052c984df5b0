"""Data Factory: when flights arrive, it prepares them with Databricks and starts the training on Azure ML."""

from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_azure_native import datafactory

from components.databricks import Databricks
from components.lake import CONTAINER, RAW, Lake
from components.trigger_state import TriggerState, stopped_before_update
from infra.components.access import PrincipalType, assigned
from infra.platform import Platform
from infra.roles.definitions import Role

PIPELINE, ARRIVAL, WEEKLY = "train-departures", "flights-arrive", "every-monday"
_LINK = "databricks"
_ML = "https://ml.azure.com"
# AzureML Data Scientist.
_DATA_SCIENTIST = "f6c7c914-8db3-469d-8ca1-694a8f32e121"
_ENDED = "createArray('Completed', 'Failed', 'Canceled')"
_STATUS = "activity('Check')?.output?.properties?.status"
_Kind = datafactory.FactoryIdentityType


@dataclass(frozen=True, kw_only=True)
class DataFactoryArgs:
    """Inputs of `DataFactory`: what its pipeline calls, and the asset that it hands over.

    Attributes:
        endpoint: The address of the batch endpoint that trains.
        table_id: The id of the data asset with the prepared flights.
        poll_seconds: How often the pipeline asks whether the training has ended.
    """

    platform: Platform
    lake: Lake
    databricks: Databricks
    endpoint: pulumi.Input[str]
    table_id: pulumi.Input[str]
    poll_seconds: int


class DataFactory(pulumi.ComponentResource):
    """A factory with an identity of its own, a pipeline, and two triggers that are started.

    The Azure Machine Learning activity of Data Factory works with version 1 of Azure ML only. So the pipeline calls the
    batch endpoint with a Web activity, and asks for the state of the job in a loop.
    Outputs: `name`, `pipeline` (its name).
    """

    name: pulumi.Output[str]
    pipeline: pulumi.Output[str]

    def __init__(self, name: str, args: DataFactoryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("custom-images:components:DataFactory", name, None, opts)
        place, here = args.platform.place, pulumi.ResourceOptions(parent=self)
        factory = datafactory.Factory(
            name,
            factory_name=f"adf-{place.names.workspace.removeprefix('mlw-')}",
            resource_group_name=place.resource_group,
            location=place.location,
            identity=datafactory.FactoryIdentityArgs(type=_Kind.SYSTEM_ASSIGNED),
            tags=place.tags,
            opts=here,
        )
        self._group, self._factory = place.resource_group, factory.name
        principal = factory.identity.apply(lambda identity: str(identity.principal_id) if identity else "")
        roles = self._roles(name, args, principal)
        link = datafactory.LinkedService(
            f"{name}-databricks",
            linked_service_name=_LINK,
            factory_name=factory.name,
            resource_group_name=place.resource_group,
            properties=datafactory.AzureDatabricksLinkedServiceArgs(
                type="AzureDatabricks",
                domain=pulumi.Output.concat("https://", args.databricks.host),
                authentication="MSI",
                workspace_resource_id=args.databricks.id,
            ),
            opts=here,
        )
        pipeline = datafactory.Pipeline(
            f"{name}-pipeline",
            pipeline_name=PIPELINE,
            factory_name=factory.name,
            resource_group_name=place.resource_group,
            description="Prepares the flights with Databricks, and trains on the result.",
            # A file that arrives during a run waits for it.
            concurrency=1,
            activities=activities(args),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[link, *roles]),
        )
        self._trigger(name, ARRIVAL, arrival(args.lake.id), pipeline)
        self._trigger(name, WEEKLY, weekly(), pipeline)
        self.name, self.pipeline = factory.name, pipeline.name
        self.register_outputs({"name": self.name, "pipeline": self.pipeline})

    def _roles(self, name: str, args: DataFactoryArgs, principal: pulumi.Output[str]) -> list[pulumi.Resource]:
        wanted = [
            # To start jobs of the endpoint, and to read their state.
            ("endpoint", args.platform.workspace.id, _DATA_SCIENTIST),
            # A job of an endpoint reads its inputs as the caller.
            ("table", args.lake.id, Role.STORAGE_BLOB_DATA_READER.value),
            # Makes the identity a user of the Databricks workspace, which may run the job.
            ("databricks", args.databricks.id, Role.CONTRIBUTOR.value),
        ]
        return [
            assigned(
                f"{name}-{label}",
                subscription_id=args.platform.program.config.cloud.subscription_id,
                scope=scope,
                principal=principal,
                kind=PrincipalType.SERVICE_PRINCIPAL,
                role=role,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for label, scope, role in wanted
        ]

    def _trigger(self, name: str, label: str, properties: Any, pipeline: datafactory.Pipeline) -> None:
        trigger = datafactory.Trigger(
            f"{name}-{label}",
            trigger_name=label,
            factory_name=self._factory,
            resource_group_name=self._group,
            properties=properties,
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[pipeline], hooks=stopped_before_update(f"{name}-{label}")
            ),
        )
        TriggerState(
            f"{name}-{label}-started",
            trigger_id=trigger.id,
            definition=trigger.properties,
            started=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[trigger]),
        )


def arrival(account_id: pulumi.Input[str]) -> datafactory.BlobEventsTriggerArgs:
    """Return the trigger on a file with flights that arrives in the data lake."""
    return datafactory.BlobEventsTriggerArgs(
        type="BlobEventsTrigger",
        scope=account_id,
        events=[datafactory.BlobEventTypes.MICROSOFT_STORAGE_BLOB_CREATED],
        blob_path_begins_with=f"/{CONTAINER}/blobs/{RAW}/",
        blob_path_ends_with=".parquet",
        ignore_empty_blobs=True,
        pipelines=[_started()],
    )


def weekly() -> datafactory.ScheduleTriggerArgs:
    """Return the trigger on Monday mornings."""
    return datafactory.ScheduleTriggerArgs(
        type="ScheduleTrigger",
        recurrence=datafactory.ScheduleTriggerRecurrenceArgs(
            frequency=datafactory.RecurrenceFrequency.WEEK,
            interval=1,
            start_time="2026-01-05T00:00:00Z",
            time_zone="UTC",
            schedule=datafactory.RecurrenceScheduleArgs(
                week_days=[datafactory.DaysOfWeek.MONDAY], hours=[6], minutes=[0]
            ),
        ),
        pipelines=[_started()],
    )


def activities(args: DataFactoryArgs) -> list[Any]:
    """Return the pipeline: prepare, train, ask until the job has ended, and fail if it did not complete."""
    address = pulumi.Output.from_input(args.endpoint)
    body = {
        "properties": {
            "inputData": {"daily": {"jobInputType": "UriFolder", "uri": args.table_id}},
            "outputData": {},
        }
    }
    sign_in = datafactory.WebActivityAuthenticationArgs(type="MSI", resource=_ML)
    check = datafactory.WebActivityArgs(
        name="Check",
        type="WebActivity",
        method="GET",
        url=pulumi.Output.concat(address, "/@{activity('Train').output.name}"),
        authentication=sign_in,
        depends_on=_after("Pause"),
    )
    return [
        datafactory.DatabricksJobActivityArgs(
            name="Prepare",
            type="DatabricksJob",
            job_id=args.databricks.job,
            linked_service_name=datafactory.LinkedServiceReferenceArgs(
                reference_name=_LINK, type="LinkedServiceReference"
            ),
            policy=datafactory.ActivityPolicyArgs(timeout="0.02:00:00", retry=1, retry_interval_in_seconds=60),
        ),
        datafactory.WebActivityArgs(
            name="Train",
            type="WebActivity",
            method="POST",
            url=address,
            headers={"Content-Type": "application/json"},
            body=body,
            authentication=sign_in,
            depends_on=_after("Prepare"),
        ),
        datafactory.UntilActivityArgs(
            name="Wait for the job",
            type="Until",
            expression=_expression(f"@contains({_ENDED}, {_STATUS})"),
            timeout="0.04:00:00",
            activities=[
                datafactory.WaitActivityArgs(name="Pause", type="Wait", wait_time_in_seconds=args.poll_seconds),
                check,
            ],
            depends_on=_after("Train"),
        ),
        datafactory.IfConditionActivityArgs(
            name="Completed",
            type="IfCondition",
            expression=_expression(f"@equals({_STATUS}, 'Completed')"),
            if_false_activities=[
                datafactory.FailActivityArgs(
                    name="Report",
                    type="Fail",
                    message=f"The training @{{activity('Train').output.name}} is @{{{_STATUS}}}.",
                    error_code="TrainingFailed",
                )
            ],
            depends_on=_after("Wait for the job"),
        ),
    ]


def _after(name: str) -> list[datafactory.ActivityDependencyArgs]:
    succeeded = [datafactory.DependencyCondition.SUCCEEDED]
    return [datafactory.ActivityDependencyArgs(activity=name, dependency_conditions=succeeded)]


def _expression(text: str) -> datafactory.ExpressionArgs:
    return datafactory.ExpressionArgs(type=datafactory.ExpressionType.EXPRESSION, value=text)


def _started() -> datafactory.TriggerPipelineReferenceArgs:
    reference = datafactory.PipelineReferenceArgs(reference_name=PIPELINE, type="PipelineReference")
    return datafactory.TriggerPipelineReferenceArgs(pipeline_reference=reference)
