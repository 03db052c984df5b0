"""Alerts: who is told, and when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import monitor

from infra.components.placement import Placement
from infra.settings.monitoring import MonitoringSettings

_STATIC = "StaticThresholdCriterion"
_SINGLE = "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria"


@dataclass(frozen=True, kw_only=True)
class AlertsArgs:
    """Inputs of `Alerts`.

    `endpoints` maps names of online endpoints to their resource ids, and `requires` has their resources. `deployments`
    maps names of endpoints to the id of the deployment that serves, if Azure measures its instances. `topic_id` is the
    topic of drift events with its `subscriptions`, if the stack has one.
    """

    placement: Placement
    settings: MonitoringSettings
    workspace_id: pulumi.Output[str]
    endpoints: Mapping[str, pulumi.Input[str]]
    deployments: Mapping[str, pulumi.Input[str]]
    requires: Sequence[pulumi.Resource]
    topic_id: pulumi.Output[str] | None
    subscriptions: Sequence[str]


class Alerts(pulumi.ComponentResource):
    """An action group, and a metric alert rule for each thing that it is told about."""

    def __init__(self, name: str, args: AlertsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("azureml-platform:infra:Alerts", name, None, opts)
        place, settings = args.placement, args.settings
        group = monitor.ActionGroup(
            f"{name}-receivers",
            action_group_name=place.names.action_group,
            resource_group_name=place.resource_group,
            location="Global",
            group_short_name="ml-alerts",
            enabled=True,
            email_receivers=[
                monitor.MicrosoftCommonEmailReceiverArgs(
                    name=f"email-{number}", email_address=address, use_common_alert_schema=True
                )
                for number, address in enumerate(settings.emails, 1)
            ],
            webhook_receivers=[
                monitor.WebhookReceiverArgs(
                    # The URLs of chat services contain a key.
                    name=receiver,
                    service_uri=pulumi.Output.secret(url),
                    use_common_alert_schema=True,
                )
                for receiver, url in settings.webhooks.items()
            ],
            tags=place.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._name, self._place, self._group = name, place, group.id
        rules = settings.alerts
        if rules.failed_runs is not None:
            self._rule(
                "failed-runs",
                args.workspace_id,
                f"{rules.failed_runs} or more runs failed within an hour.",
                _criterion("Failed Runs", "GreaterThanOrEqual", rules.failed_runs, "Total"),
                window="PT1H",
            )
        if rules.drift and args.topic_id is not None:
            self._rule(
                "drift",
                args.topic_id,
                "A monitor or the drift job found drift.",
                _criterion(
                    "MatchedEventCount", "GreaterThan", 0, "Total", {"EventSubscriptionName": args.subscriptions}
                ),
            )
        for endpoint, scope in args.endpoints.items():
            self._watch(endpoint, scope, settings, args.requires)
        for endpoint, scope in args.deployments.items():
            self._watch_instances(endpoint, scope, settings, args.requires)
        self.register_outputs({})

    def _watch(
        self, endpoint: str, scope: pulumi.Input[str], settings: MonitoringSettings, requires: Sequence[pulumi.Resource]
    ) -> None:
        rules = settings.alerts
        if rules.endpoint_errors is not None:
            self._rule(
                f"errors-{endpoint}",
                scope,
                f"Endpoint {endpoint} answers more than {rules.endpoint_errors:g} requests a minute with 5xx.",
                _criterion(
                    "RequestsPerMinute", "GreaterThan", rules.endpoint_errors, "Average", {"statusCodeClass": ["5xx"]}
                ),
                severity=1,
                requires=requires,
            )
        if rules.endpoint_latency is not None:
            self._rule(
                f"latency-{endpoint}",
                scope,
                f"95 % of the requests of endpoint {endpoint} take longer than {rules.endpoint_latency:g} ms.",
                _criterion("RequestLatency_P95", "GreaterThan", rules.endpoint_latency, "Average"),
                requires=requires,
            )

    def _watch_instances(
        self, endpoint: str, scope: pulumi.Input[str], settings: MonitoringSettings, requires: Sequence[pulumi.Resource]
    ) -> None:
        """Watch the deployment that serves. After a rollout, the rules get the new deployment as their scope."""
        for part, metric, limit in (
            ("CPU", "CpuUtilizationPercentage", settings.alerts.endpoint_cpu),
            ("memory", "CpuMemoryUtilizationPercentage", settings.alerts.endpoint_memory),
        ):
            if limit is not None:
                self._rule(
                    f"{part.lower()}-{endpoint}",
                    scope,
                    f"Endpoint {endpoint} uses more than {limit:g} % of the {part} of its instances.",
                    _criterion(metric, "GreaterThan", limit, "Average"),
                    requires=requires,
                )

    def _rule(
        self,
        label: str,
        scope: pulumi.Input[str],
        description: str,
        criterion: monitor.MetricCriteriaArgs,
        *,
        severity: int = 2,
        window: str = "PT5M",
        requires: Sequence[pulumi.Resource] = (),
    ) -> None:
        monitor.MetricAlert(
            f"{self._name}-{label}",
            rule_name=label,
            resource_group_name=self._place.resource_group,
            location="global",
            description=description,
            enabled=True,
            severity=severity,
            scopes=[scope],
            evaluation_frequency="PT5M",
            window_size=window,
            criteria=monitor.MetricAlertSingleResourceMultipleMetricCriteriaArgs(
                odata_type=_SINGLE, all_of=[criterion]
            ),
            auto_mitigate=True,
            actions=[monitor.MetricAlertActionArgs(action_group_id=self._group)],
            tags=self._place.tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(requires)),
        )


def _criterion(
    metric: str,
    operator: str,
    threshold: float,
    aggregation: str,
    dimensions: Mapping[str, Sequence[str]] | None = None,
) -> monitor.MetricCriteriaArgs:
    return monitor.MetricCriteriaArgs(
        name="threshold",
        criterion_type=_STATIC,
        metric_name=metric,
        operator=operator,
        threshold=threshold,
        time_aggregation=aggregation,
        dimensions=[
            monitor.MetricDimensionArgs(name=name, operator="Include", values=list(values))
            for name, values in (dimensions or {}).items()
        ],
    )
