"""Azure Monitor's metrics of online endpoints, as azure-mgmt-monitor reads them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests
from azure.core.exceptions import HttpResponseError

from amlite import SUBSCRIPTION_ID

if TYPE_CHECKING:
    from amlite.testing import Workspace
    from amlite_fixtures.scoring import Scoring


@pytest.fixture
def monitor(azureml_workspace: Workspace) -> Iterator[Any]:
    """Return azure-mgmt-monitor's client; its answers say that anything may be None."""
    from azure.mgmt.monitor import MonitorManagementClient

    with MonitorManagementClient(azureml_workspace.azure.credential, SUBSCRIPTION_ID) as client:
        yield client


def span(workspace: Workspace) -> str:
    """Return the minute that amlite is in, and one before and after."""
    now = dt.datetime.fromisoformat(workspace.azure.command("status", "--output", "json").partition('"now": "')[2][:19])
    return f"{now - dt.timedelta(minutes=1):%Y-%m-%dT%H:%M:00Z}/{now + dt.timedelta(minutes=2):%Y-%m-%dT%H:%M:00Z}"


def time_of(resource_id: str, workspace: Workspace) -> dt.datetime:
    """Return the `Date` of an answer about a resource."""
    token = workspace.azure.credential.get_token("https://management.azure.com/.default").token
    answer = requests.get(
        f"https://management.azure.com{resource_id}?api-version=2024-10-01",
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )
    answer.raise_for_status()
    return parsedate_to_datetime(answer.headers["Date"])


def sums(response: Any) -> dict[tuple[str, ...], float]:
    """Return what the intervals' averages add up to, by the combination of dimensions."""
    return {
        tuple(value.value for value in series.metadatavalues): sum(point.average or 0 for point in series.data)
        for series in response.value[0].timeseries
    }


def test_the_time_of_an_answer_about_an_endpoint_is_that_of_its_metrics(
    shared: Scoring, azureml_workspace: Workspace
) -> None:
    """A rollout bakes, and asks for metrics, by Azure's clock."""
    before = time_of(f"{azureml_workspace.id}/onlineEndpoints/{shared.name}", azureml_workspace)
    azureml_workspace.azure.advance(3600)
    after = time_of(f"{azureml_workspace.id}/onlineEndpoints/{shared.name}", azureml_workspace)
    assert after - before >= dt.timedelta(seconds=3600)


def test_scored_requests_are_counted_by_deployment_and_status(
    shared: Scoring, azureml_workspace: Workspace, monitor: Any
) -> None:
    azureml_workspace.azure.advance(3600)  # away from what other tests sent
    key, uri = shared.key, f"{azureml_workspace.id}/onlineEndpoints/{shared.name}"
    for deployment, body in [("blue", {"value": 1})] * 3 + [("green", {"value": 1}), ("green", {"wrong": 1})]:
        shared.post(body, deployment, key=key)
    asked = {"timespan": span(azureml_workspace), "interval": "PT1M", "aggregation": "Average"}
    filter_ = "deployment eq '*' and statusCodeClass eq '*' and modelStatusCode eq '*'"
    counted = monitor.metrics.list(uri, metricnames="RequestsPerMinute", filter=filter_, **asked)
    assert sums(counted) == {("blue", "2xx", "200"): 3, ("green", "2xx", "200"): 1, ("green", "4xx", "500"): 1}
    assert [value.name.value for value in counted.value[0].timeseries[0].metadatavalues] == [
        "deployment", "statuscodeclass", "modelstatuscode",
    ]  # fmt: skip
    latency = monitor.metrics.list(
        uri, metricnames="RequestLatency_P95,RequestLatency", filter="deployment eq 'blue'", **asked
    )
    assert [metric.unit for metric in latency.value] == ["Milliseconds"] * 2
    durations = [point.average for point in latency.value[0].timeseries[0].data if point.average]
    assert durations
    assert all(0 < duration < 60_000 for duration in durations)
    own = monitor.metrics.list(
        f"{uri}/deployments/green", metricnames="RequestsPerMinute", filter="envoy_response_code eq '*'", **asked
    )
    assert sums(own) == {("200",): 1, ("424",): 1}


def test_metrics_are_defined_and_others_refused(shared: Scoring, azureml_workspace: Workspace, monitor: Any) -> None:
    uri = f"{azureml_workspace.id}/onlineEndpoints/{shared.name}"
    defined = {metric.name.value: metric for metric in monitor.metric_definitions.list(uri)}
    assert [each.value for each in defined["RequestsPerMinute"].dimensions] == [
        "deployment", "statusCode", "statusCodeClass", "modelStatusCode",
    ]  # fmt: skip
    for wrong, reason in (
        ({"metricnames": "Requests"}, "Valid metrics: RequestLatency,"),
        ({"metricnames": "RequestLatency", "filter": "statusCode eq '*'"}, "supported ones are: deployment"),
        ({"metricnames": "RequestsPerMinute", "aggregation": "Total"}, "requested aggregation: total"),
    ):
        with pytest.raises(HttpResponseError, match=reason):
            monitor.metrics.list(uri, **wrong)
    nobody = azureml_workspace.azure.application()
    answer = azureml_workspace.azure.arm(
        "GET", f"{uri}/providers/Microsoft.Insights/metrics", version="2018-01-01", credential=nobody
    )
    assert answer.status_code == 403
