"""What a platform does about failures and drift: alerts, and retraining."""

import pulumi

import pulumi_azureml as azureml
from infra.platform import Platform
from pulumi_azureml import planning


def react(platform: Platform, assets: azureml.Assets) -> None:
    """Declare the alerts and the retraining of the stack's `monitoring` settings. Without settings, nothing."""
    settings = platform.program.settings.monitoring
    if not settings.has_events and not settings.has_receivers:
        return
    # Most stacks need none of these, and their types take a second to import in each preview and update.
    from infra.components.alerts import Alerts, AlertsArgs
    from infra.components.drift_events import QUEUE, DriftEvents, DriftEventsArgs
    from infra.components.retraining import Retraining, RetrainingArgs

    subscription = platform.program.config.cloud.subscription_id
    place, workspace, storage = platform.place, platform.workspace, platform.storage
    events = (
        DriftEvents(
            "drift",
            DriftEventsArgs(
                placement=place,
                subscription_id=subscription,
                workspace_id=workspace.id,
                storage_account_id=storage.id,
                storage_account_name=storage.name,
            ),
        )
        if settings.has_events
        else None
    )
    if settings.has_receivers:
        online = assets.resources.get("online_endpoint", {})
        endpoints = {
            name: pulumi.Output.concat(workspace.id, "/onlineEndpoints/", endpoint.azure_name)
            for name, endpoint in online.items()
        }
        plan = platform.program.plan
        serving = planning.serving(plan.of("online_deployment"))
        Alerts(
            "alerts",
            AlertsArgs(
                placement=place,
                settings=settings,
                workspace_id=workspace.id,
                endpoints=endpoints,
                deployments={
                    name: pulumi.Output.concat(endpoint, "/deployments/", serving[name])
                    for name, endpoint in endpoints.items()
                    # Azure measures managed instances only.
                    if name in serving and "compute" not in plan["online_endpoint", name].definition
                },
                requires=list(online.values()),
                topic_id=events.topic_id if events else None,
                subscriptions=events.subscriptions if events else [],
            ),
        )
    if settings.retrain and events:
        Retraining(
            "retraining",
            RetrainingArgs(
                placement=place,
                subscription_id=subscription,
                settings=settings.retrain,
                workspace_id=workspace.id,
                storage_account_name=storage.name,
                queue_id=events.queue_id,
                queue_name=QUEUE,
                requires=[assets.resources["schedule"][settings.retrain.schedule]],
            ),
        )
