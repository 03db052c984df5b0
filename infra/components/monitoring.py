"""The storage of logs and metrics: a Log Analytics workspace, and Application Insights that uses it."""

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import applicationinsights, operationalinsights

from infra.components.placement import Placement


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """Inputs of `Monitoring`. Logs are kept for `retention_days`."""

    placement: Placement
    retention_days: int


class Monitoring(pulumi.ComponentResource):
    """Log Analytics and workspace-based Application Insights.

    Outputs: `application_insights_id`.
    """

    application_insights_id: pulumi.Output[str]

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("azureml-platform:infra:Monitoring", name, None, opts)
        place = args.placement
        logs = operationalinsights.Workspace(
            f"{name}-logs",
            workspace_name=place.names.log_analytics,
            resource_group_name=place.resource_group,
            location=place.location,
            sku=operationalinsights.WorkspaceSkuArgs(name=operationalinsights.WorkspaceSkuNameEnum.PER_GB2018),
            retention_in_days=args.retention_days,
            tags=place.tags,
            opts=pulumi.ResourceOptions(parent=self, protect=place.protect),
        )
        insights = applicationinsights.Component(
            f"{name}-insights",
            resource_name_=place.names.application_insights,
            resource_group_name=place.resource_group,
            location=place.location,
            kind="web",
            application_type=applicationinsights.ApplicationType.WEB,
            ingestion_mode=applicationinsights.IngestionMode.LOG_ANALYTICS,
            workspace_resource_id=logs.id,
            tags=place.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.application_insights_id = insights.id
        self.register_outputs({"application_insights_id": self.application_insights_id})
