"""Retraining after drift: a Logic App that takes an event from the queue and starts a pipeline.

The workflow submits the job that a schedule defines, under a name that is the same during the cooldown. Azure Machine
Learning has one job of a name, so neither a repeated event nor a second drift starts another one. See docs/adr/0039.
"""

from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_azure_native import authorization, logic

from infra.components.access import PrincipalType, assigned, defined
from infra.components.placement import Placement
from infra.roles.definitions import CustomRole
from infra.roles.grants import Scope, When, Who, grants
from infra.roles.propagation import waits_for_roles
from infra.settings.monitoring import RetrainSettings

_ARM = "https://management.azure.com"
_ML_VERSION = "2024-10-01"
_STORAGE = "https://storage.azure.com/"
_STORAGE_HEADERS = {"x-ms-version": "2023-11-03"}
# The message is invisible for so long while the workflow works on it. If the workflow fails, it appears again.
_VISIBILITY_SECONDS = 3600
_TICKS_PER_DAY = 864_000_000_000
_SCHEMA = "https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#"


@dataclass(frozen=True, kw_only=True)
class RetrainingArgs:
    """Inputs of `Retraining`: the queue of drift events, its storage account, and the workspace.

    `requires` has the schedule that defines the job.
    """

    placement: Placement
    subscription_id: str
    settings: RetrainSettings
    workspace_id: pulumi.Output[str]
    storage_account_name: pulumi.Output[str]
    queue_id: pulumi.Output[str]
    queue_name: str
    requires: list[pulumi.Resource]


class Retraining(pulumi.ComponentResource):
    """A consumption Logic App with its own identity, and the roles of that identity.

    Outputs: `workflow` (its name).
    """

    workflow: pulumi.Output[str]

    def __init__(self, name: str, args: RetrainingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("azureml-platform:infra:Retraining", name, None, opts)
        place = args.placement
        workflow = logic.Workflow(
            name,
            workflow_name=place.names.retraining_workflow,
            resource_group_name=place.resource_group,
            location=place.location,
            state=logic.WorkflowState.ENABLED,
            identity=logic.ManagedServiceIdentityArgs(type=logic.ManagedServiceIdentityType.SYSTEM_ASSIGNED),
            definition=pulumi.Output.all(args.storage_account_name, args.workspace_id).apply(
                lambda known: definition(args.settings, known[0], args.queue_name, known[1])
            ),
            tags=place.tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.requires),
        )
        principal = workflow.identity.apply(lambda identity: str(identity.principal_id) if identity else "")
        for grant in grants(Who.RETRAINING, conditions=frozenset({When.RETRAINING})):
            scope = args.queue_id if grant.scope is Scope.QUEUE else args.workspace_id
            label = f"{name}-{grant.scope.value}-{grant.role.slug}"
            here = pulumi.ResourceOptions(parent=self)
            if isinstance(grant.role, CustomRole):
                role: pulumi.Input[str] = scope.apply(grant.role.guid)
                made: authorization.RoleDefinition = defined(label, grant.role, role, scope, here)
                here = pulumi.ResourceOptions(parent=self, depends_on=[made], hooks=waits_for_roles(label))
            else:
                role = grant.guid
            assigned(
                label,
                subscription_id=args.subscription_id,
                scope=scope,
                principal=principal,
                kind=PrincipalType.SERVICE_PRINCIPAL,
                role=role,
                opts=here,
            )
        self.workflow = workflow.name
        self.register_outputs({"workflow": self.workflow})


def definition(settings: RetrainSettings, account: str, queue: str, workspace_id: str) -> dict[str, Any]:
    """Return the workflow: take a message, read the schedule, start its job unless it exists, delete the message."""
    messages = f"https://{account}.queue.core.windows.net/{queue}/messages"
    message, receipt = (f"xpath(xml(triggerBody()), 'string(//{tag})')" for tag in ("MessageId", "PopReceipt"))
    period = f"div(ticks(utcNow()), {settings.cooldown_days * _TICKS_PER_DAY})"
    job = f"{_ARM}{workspace_id}/jobs/{settings.schedule}-drift-@{{{period}}}?api-version={_ML_VERSION}"
    planned = "body('Schedule')['properties']['action']['jobDefinition']"
    return {
        "$schema": _SCHEMA,
        "contentVersion": "1.0.0.0",
        "triggers": {
            "Drift": {
                "type": "Http",
                "recurrence": {"frequency": "Minute", "interval": settings.poll_minutes},
                # One run at a time, so that two do not look for the same job.
                "runtimeConfiguration": {"concurrency": {"runs": 1}},
                "inputs": _storage("GET", f"{messages}?visibilitytimeout={_VISIBILITY_SECONDS}"),
                "conditions": [{"expression": f"@not(empty({message}))"}],
            }
        },
        "actions": {
            "Schedule": _arm(
                "GET", f"{_ARM}{workspace_id}/schedules/{settings.schedule}?api-version={_ML_VERSION}", {}
            ),
            "Job": _arm("GET", job, {"Schedule": ["Succeeded"]}),
            "Start": _arm(
                "PUT",
                job,
                {"Job": ["Failed"]},
                {"properties": f"@setProperty({planned}, 'displayName', 'Retraining after drift')"},
            ),
            "Done": {
                "type": "Http",
                "inputs": _storage(
                    "DELETE", f"{messages}/@{{{message}}}?popreceipt=@{{encodeUriComponent({receipt})}}"
                ),
                "runAfter": {"Job": ["Succeeded", "Failed"], "Start": ["Succeeded", "Skipped"]},
            },
        },
    }


def _storage(method: str, uri: str) -> dict[str, Any]:
    return {"method": method, "uri": uri, "headers": _STORAGE_HEADERS, "authentication": _identity(_STORAGE)}


def _arm(method: str, uri: str, after: dict[str, list[str]], body: dict[str, Any] | None = None) -> dict[str, Any]:
    inputs = {"method": method, "uri": uri, "authentication": _identity(f"{_ARM}/")}
    return {"type": "Http", "inputs": inputs | ({"body": body} if body else {}), "runAfter": after}


def _identity(audience: str) -> dict[str, str]:
    return {"type": "ManagedServiceIdentity", "audience": audience}
