"""CPU and memory of deployments: the metrics, and alert rules on them that move from deployment to deployment.

Source: Azure Monitor's page "Supported metrics" for Microsoft.MachineLearningServices/workspaces/onlineEndpoints/
deployments.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.services.monitoring import actions, alerts, gauges, measured, queries, utilization

GROUP = "/subscriptions/s/resourceGroups/g"
ENDPOINT = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/w/onlineEndpoints/e"
BLUE, GREEN = f"{ENDPOINT}/deployments/blue-1", f"{ENDPOINT}/deployments/blue-2"
RULE = ResourceId.of(f"{GROUP}/providers/Microsoft.Insights/metricAlerts/cpu-e")
MINUTE = dt.timedelta(minutes=1)
CPU = gauges.CPU.name


def to_next_minute(platform: Platform) -> None:
    platform.advance(60 - platform.clock.timestamp() % 60)


def values(platform: Platform, filter_: str = "", minutes: int = 2) -> dict[tuple[str, ...], list[Any]]:
    """Return the last minutes' values by instance, the newest minute last."""
    end = platform.clock.now() + MINUTE
    starts = queries.intervals(None, end - minutes * MINUTE, end - MINUTE, adjust=False)[0][-minutes:]
    clauses = queries.clauses(filter_, gauges.CPU.dimensions, CPU)
    split = [clause.dimension for clause in clauses]
    found = measured.values(platform, ResourceId.of(BLUE), gauges.CPU, starts, MINUTE, clauses, split)
    return {tuple(each.dimensions.values()): list(each.points.values()) for each in found}


def test_samples_have_an_average_a_minimum_and_a_maximum_by_instance(platform: Platform) -> None:
    to_next_minute(platform)
    for instance, value in (("one", 10.0), ("one", 30.0), ("two", 80.0)):
        utilization.record(platform, BLUE, instance, {CPU: value, gauges.MEMORY.name: 5.0})
    platform.advance(60)
    utilization.record(platform, BLUE, "two", {CPU: 90.0})
    whole = {"average": 40.0, "minimum": 10.0, "maximum": 80.0}
    assert values(platform) == {(): [whole, {"average": 90.0, "minimum": 90.0, "maximum": 90.0}]}
    one, two = values(platform, "instanceId eq '*'").values()
    assert one == [{"average": 20.0, "minimum": 10.0, "maximum": 30.0}, {}]
    assert [each["average"] for each in two] == [80.0, 90.0]
    assert values(platform, "instanceId eq 'three'") == {}


def test_samples_survive_a_restart_are_kept_as_long_as_in_azure_and_go_with_the_deployment(
    open_platform: Callable[[], Platform],
) -> None:
    utilization.record(open_platform(), BLUE, "one", {CPU: 10.0})
    platform = open_platform()
    assert values(platform, minutes=1)[()][0]["average"] == 10.0
    platform.advance(94 * 86400)
    utilization.record(platform, BLUE, "one", {CPU: 20.0})
    everything = (dt.datetime.fromtimestamp(0, dt.UTC), platform.clock.now() + MINUTE)
    assert len(utilization.minutes(platform, BLUE, CPU, *everything)) == 1
    utilization.forget(platform, BLUE)
    assert utilization.minutes(platform, BLUE, CPU, *everything) == {}


def put_rule(platform: Platform, scope: str, **criterion: Any) -> None:
    wanted = {
        "metricName": CPU, "operator": "GreaterThan", "threshold": 90, "timeAggregation": "Average", **criterion,
    }  # fmt: skip
    properties = {
        "severity": 2, "scopes": [scope], "evaluationFrequency": "PT5M", "windowSize": "PT5M",
        "criteria": {
            "odata.type": "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria", "allOf": [wanted],
        },
    }  # fmt: skip
    (kind,) = alerts.TYPES
    assert kind.prepare is not None
    platform.store.put(str(RULE), kind.name, kind.prepare(platform, RULE, {"properties": properties}, None))


def told(platform: Platform) -> list[tuple[str, str]]:
    return [
        (each.body["condition"], each.body["scopes"][0].rpartition("/")[2])
        for each in platform.store.of_type(actions.ALERT_TYPE)
    ]


@pytest.fixture
def deployed(platform: Platform) -> Platform:
    for each in (BLUE, GREEN):
        platform.store.put(each, "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments", {})
    return platform


def test_rule_fires_on_a_busy_deployment_and_again_on_the_next_one_that_it_is_moved_to(deployed: Platform) -> None:
    """Azure has an alert for each resource of a rule (page "Monitor multiple time series in a single rule")."""
    put_rule(deployed, BLUE)
    utilization.record(deployed, BLUE, "one", {CPU: 89.0})
    alerts.evaluate(deployed)
    assert told(deployed) == []
    for _ in range(3):
        utilization.record(deployed, BLUE, "one", {CPU: 99.0})
    alerts.evaluate(deployed)
    alerts.evaluate(deployed)
    assert told(deployed) == [("Fired", "blue-1")]
    # A rollout: the old deployment is deleted with its metrics, and the rule has it as its scope for some seconds.
    deployed.store.delete(BLUE)
    utilization.forget(deployed, BLUE)
    alerts.evaluate(deployed)
    put_rule(deployed, GREEN)
    utilization.record(deployed, GREEN, "one", {CPU: 99.0})
    alerts.evaluate(deployed)
    assert told(deployed) == [("Fired", "blue-1"), ("Fired", "blue-2")]


def test_rule_can_use_each_aggregation_that_the_metric_has(deployed: Platform) -> None:
    put_rule(deployed, BLUE, timeAggregation="Maximum")
    for value in (5.0, 95.0):
        utilization.record(deployed, BLUE, "one", {CPU: value})
    alerts.evaluate(deployed)
    assert told(deployed) == [("Fired", "blue-1")]
    for wrong in ({"timeAggregation": "Total"}, {"metricName": "DiskUtilization"}):
        with pytest.raises(AzureError, match=next(iter(wrong))):
            put_rule(deployed, BLUE, **wrong)


def test_scope_of_a_rule_must_exist(deployed: Platform) -> None:
    with pytest.raises(AzureError, match="was not found"):
        put_rule(deployed, f"{ENDPOINT}/deployments/gone")
