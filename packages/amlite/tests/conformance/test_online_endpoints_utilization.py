"""CPU and memory of model servers as Azure Monitor's metrics, and an alert rule on a deployment.

Source: Azure Monitor's page "Supported metrics" for Microsoft.MachineLearningServices/workspaces/onlineEndpoints/
deployments.
"""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from amlite import SUBSCRIPTION_ID
from amlite_fixtures import events
from amlite_fixtures.receiver import listening

if TYPE_CHECKING:
    from amlite.testing import Workspace
    from amlite_fixtures.azure import Json
    from amlite_fixtures.scoring import Scoring

NAMES = "CpuUtilizationPercentage,CpuMemoryUtilizationPercentage"
# An idle server takes less of the CPU, and one busy process takes more of any machine with fewer than 20 cores.
BUSY_PERCENT = 5


@pytest.fixture
def metrics(azureml_workspace: Workspace) -> Iterator[Callable[..., Any]]:
    """Return a function that reads the metrics of a deployment in the last five minutes, with azure-mgmt-monitor."""
    from azure.mgmt.monitor import MonitorManagementClient

    def read(uri: str, **asked: Any) -> Any:
        status = azureml_workspace.azure.command("status", "--output", "json")
        now = dt.datetime.fromisoformat(status.partition('"now": "')[2][:19])
        span = f"{now - dt.timedelta(minutes=4):%Y-%m-%dT%H:%M:00Z}/{now + dt.timedelta(minutes=1):%Y-%m-%dT%H:%M:00Z}"
        return client.metrics.list(uri, metricnames=NAMES, timespan=span, interval="PT5M", **asked).value

    with MonitorManagementClient(azureml_workspace.azure.credential, SUBSCRIPTION_ID) as client:
        yield read


def group_and_rule(workspace: Workspace, url: str, scope: str) -> tuple[tuple[str, Json, str], tuple[str, Json, str]]:
    """Return the ids, bodies and API versions of an action group with a webhook, and of a rule that tells it."""
    tag = uuid.uuid4().hex[:8]
    group = events.provider(workspace, f"Microsoft.Insights/actionGroups/ag-{tag}")
    hook = {"name": "hook", "serviceUri": url, "useCommonAlertSchema": True}
    receivers = {"groupShortName": "team", "enabled": True, "webhookReceivers": [hook]}
    criterion = {
        "name": "threshold", "criterionType": "StaticThresholdCriterion", "metricName": "CpuUtilizationPercentage",
        "operator": "GreaterThan", "threshold": BUSY_PERCENT, "timeAggregation": "Average",
    }  # fmt: skip
    properties = {
        "severity": 2, "enabled": True, "scopes": [scope], "evaluationFrequency": "PT1M", "windowSize": "PT5M",
        "criteria": {
            "odata.type": "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria", "allOf": [criterion],
        },
        "actions": [{"actionGroupId": group}],
    }  # fmt: skip
    rule = events.provider(workspace, f"Microsoft.Insights/metricAlerts/cpu-{tag}")
    return (
        (group, {"location": "Global", "properties": receivers}, "2023-01-01"),
        (rule, {"location": "global", "properties": properties}, "2018-03-01"),
    )


def test_busy_deployment_fires_its_alert_and_an_idle_one_does_not(
    shared: Scoring, azureml_workspace: Workspace, metrics: Callable[..., Any]
) -> None:
    azure, endpoint = azureml_workspace.azure, f"{azureml_workspace.id}/onlineEndpoints/{shared.name}"
    key, busy, idle = shared.key, f"{endpoint}/deployments/green", f"{endpoint}/deployments/blue"
    azure.advance(3600)  # away from what other tests did
    with listening() as receiver:
        group, rule = group_and_rule(azureml_workspace, receiver.url, busy)
        other = group_and_rule(azureml_workspace, receiver.url, idle)[1]
        other[1]["properties"]["actions"] = rule[1]["properties"]["actions"]
        for each in (group, rule, other):
            azure.put(*each)
        deadline = time.monotonic() + 60
        while not receiver.got:
            assert time.monotonic() < deadline
            assert shared.post({"value": 1, "burn": 1}, "green", key=key).status_code == 200
            azure.advance(61)  # a sample is due, and the rule is evaluated
        essentials = receiver.got[0]["data"]["essentials"]
        assert essentials["alertTargetIDs"] == [busy]
        assert receiver.got[0]["data"]["alertContext"]["condition"]["allOf"][0]["metricValue"] > BUSY_PERCENT
        assert {each["data"]["essentials"]["alertRule"] for each in receiver.got} == {rule[0].rpartition("/")[2]}
        for each in (rule, other, group):
            azure.remove(each[0], each[2])
    cpu, memory = metrics(busy, aggregation="Average,Minimum,Maximum", filter="instanceId eq '*'")
    assert (cpu.unit, memory.unit) == ("Percent", "Percent")
    (series,) = cpu.timeseries
    assert [value.name.value for value in series.metadatavalues] == ["instanceid"]
    point = next(point for point in series.data if point.average is not None)
    assert 0 <= point.minimum <= point.average <= point.maximum <= 100
    assert all(0 < point.average < 100 for point in memory.timeseries[0].data if point.average is not None)
    (idle_cpu, _) = metrics(idle, aggregation="Average")
    assert all(point.average is None or point.average < BUSY_PERCENT for point in idle_cpu.timeseries[0].data)
