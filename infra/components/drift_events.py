"""The events of drift: what Event Grid says about a run that found some, in a storage queue.

Two kinds of runs find drift: the project's drift job, and Azure Machine Learning's monitors. Each marks its run with a
tag. See docs/adr/0039.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import eventgrid, storage

from infra.components.access import PrincipalType, assigned
from infra.components.placement import Placement
from infra.roles.grants import Scope, Who, grant_of

STATUS_CHANGED = "Microsoft.MachineLearningServices.RunStatusChanged"
QUEUE = "drift-events"
# A message that nobody takes expires after a day, because a newer drift run says the same.
_TIME_TO_LIVE_SECONDS = 86_400
# Subscription -> the run's tag, and the values that mark drift. Event Grid joins the filters of a subscription by
# `and`, so each tag needs a subscription.
TAGS: Mapping[str, tuple[str, str, str]] = {
    "drift-job": ("drift_detected", "StringIn", "true"),
    # Source: "Monitor the performance of models deployed to production", Integrate with Event Grid.
    "monitor": (
        "azureml_modelmonitor_threshold_breached",
        "StringContains",
        "has failed due to one or more features violating metric thresholds",
    ),
}


@dataclass(frozen=True, kw_only=True)
class DriftEventsArgs:
    """Inputs of `DriftEvents`: the workspace and its storage account (ids), and the account's name."""

    placement: Placement
    subscription_id: str
    workspace_id: pulumi.Output[str]
    storage_account_id: pulumi.Output[str]
    storage_account_name: pulumi.Output[str]


class DriftEvents(pulumi.ComponentResource):
    """A system topic of the workspace, its subscriptions to drift, and the queue that they deliver to.

    The topic signs in to the queue with its own identity, which may add messages and nothing else.
    Outputs: `topic_id`, `queue_id`. The attribute `subscriptions` is the names of the subscriptions.
    """

    topic_id: pulumi.Output[str]
    queue_id: pulumi.Output[str]
    subscriptions: list[str]

    def __init__(self, name: str, args: DriftEventsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("azureml-platform:infra:DriftEvents", name, None, opts)
        place, here = args.placement, pulumi.ResourceOptions(parent=self)
        queue = storage.Queue(
            f"{name}-queue",
            queue_name=QUEUE,
            account_name=args.storage_account_name,
            resource_group_name=place.resource_group,
            opts=here,
        )
        topic = eventgrid.SystemTopic(
            f"{name}-topic",
            system_topic_name=place.names.system_topic,
            resource_group_name=place.resource_group,
            location=place.location,
            source=args.workspace_id,
            topic_type="Microsoft.MachineLearningServices.Workspaces",
            identity=eventgrid.IdentityInfoArgs(type=eventgrid.IdentityType.SYSTEM_ASSIGNED),
            tags=place.tags,
            opts=here,
        )
        grant = grant_of(Who.EVENTS, Scope.QUEUE)
        sender = assigned(
            f"{name}-{grant.who.slug}-{grant.role.slug}",
            subscription_id=args.subscription_id,
            scope=queue.id,
            principal=topic.identity.apply(lambda identity: str(identity.principal_id) if identity else ""),
            kind=PrincipalType.SERVICE_PRINCIPAL,
            role=grant.guid,
            opts=here,
        )
        self.subscriptions = []
        for kind, (tag, operator, value) in TAGS.items():
            eventgrid.SystemTopicEventSubscription(
                f"{name}-{kind}",
                event_subscription_name=kind,
                system_topic_name=topic.name,
                resource_group_name=place.resource_group,
                delivery_with_resource_identity=eventgrid.DeliveryWithResourceIdentityArgs(
                    identity=eventgrid.EventSubscriptionIdentityArgs(
                        type=eventgrid.EventSubscriptionIdentityType.SYSTEM_ASSIGNED
                    ),
                    destination=eventgrid.StorageQueueEventSubscriptionDestinationArgs(
                        endpoint_type="StorageQueue",
                        resource_id=args.storage_account_id,
                        queue_name=queue.name,
                        queue_message_time_to_live_in_seconds=_TIME_TO_LIVE_SECONDS,
                    ),
                ),
                event_delivery_schema=eventgrid.EventDeliverySchema.EVENT_GRID_SCHEMA,
                filter=eventgrid.EventSubscriptionFilterArgs(
                    included_event_types=[STATUS_CHANGED],
                    advanced_filters=[_filter(operator, f"data.RunTags.{tag}", value)],
                ),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[sender]),
            )
            self.subscriptions.append(kind)
        self.topic_id, self.queue_id = topic.id, queue.id
        self.register_outputs({"topic_id": self.topic_id, "queue_id": self.queue_id})


def _filter(
    operator: str, key: str, value: str
) -> eventgrid.StringInAdvancedFilterArgs | eventgrid.StringContainsAdvancedFilterArgs:
    if operator == "StringIn":
        return eventgrid.StringInAdvancedFilterArgs(operator_type=operator, key=key, values=[value])
    return eventgrid.StringContainsAdvancedFilterArgs(operator_type=operator, key=key, values=[value])
