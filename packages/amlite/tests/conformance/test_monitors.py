"""Monitors by the real client: registered, fired, and computed on data that endpoints collected.

Sources: the OpenAPI document of 2023-06-01-preview (CreateMonitorAction), and Microsoft's pages "Monitor the
performance of models deployed to production" and "Collect production data from models for real-time inferencing".
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import requests

from amlite.testing import Workspace
from amlite_fixtures import events
from amlite_fixtures.azure import Json

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

BREACHED = "azureml_modelmonitor_threshold_breached"
VERSION = "2023-06-01-preview"
STORE = "azureml://datastores/workspaceblobstore/paths"


@pytest.fixture
def name(azureml_workspace: Workspace) -> Iterator[str]:
    made = f"monitor-{uuid.uuid4().hex[:8]}"
    yield made
    path = f"{azureml_workspace.id}/schedules/{made}"
    found = azureml_workspace.azure.arm("GET", path, version=VERSION)
    if found.status_code == 200:
        body = found.json()
        azureml_workspace.azure.put(path, {"properties": {**body["properties"], "isEnabled": False}}, VERSION)
        azureml_workspace.azure.remove(path, VERSION)


@pytest.fixture(autouse=True, scope="module")
def another_datastore(azureml_workspace: Workspace) -> Iterator[None]:
    """Let the workspace have a datastore with a secret beside its own, as other tests do."""
    path = f"{azureml_workspace.id}/datastores/with_a_secret"
    credentials = {"credentialsType": "Sas", "secrets": {"secretsType": "Sas", "sasToken": "sv=2023-11-03&sig=none"}}
    properties = {
        "datastoreType": "AzureBlob",
        "accountName": azureml_workspace.account,
        "containerName": "elsewhere",
        "credentials": credentials,
    }
    azureml_workspace.azure.put(path, {"properties": properties})
    yield
    azureml_workspace.azure.remove(path)


def write(workspace: Workspace, path: str, content: str) -> None:
    """Write a blob in the workspace's default datastore."""
    store = workspace.azure.arm("GET", f"{workspace.id}/datastores/workspaceblobstore").json()["properties"]
    scope = events.account(workspace)
    writer = workspace.azure.application(("Storage Blob Data Contributor", scope))
    token = writer.get_token("https://storage.azure.com/.default").token
    url = f"https://{workspace.account}.blob.core.windows.net/{store['containerName']}/{path}"
    headers = {"Authorization": f"Bearer {token}", "x-ms-blob-type": "BlockBlob", "x-ms-version": "2023-11-03"}
    assert workspace.azure.session.put(url, data=content.encode(), headers=headers).status_code == 201


def collected(workspace: Workspace, folder: str, distances: list[Any]) -> None:
    """Write collected inputs as an endpoint's data collector does, an hour before now."""
    import datetime as dt

    at = workspace.azure.now() - dt.timedelta(hours=1)
    records = [
        {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": "/subscriptions/s/deployments/blue",
            "type": "azureml.inference.inputs",
            "datacontenttype": "application/json",
            "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "data": [{"distance": distance, "carrier": "AA"}],
            "correlationid": str(uuid.uuid4()),
        }
        for distance in distances
    ]
    lines = "\n".join(json.dumps(record) for record in records)
    write(workspace, f"{folder}/{at:%Y/%m/%d/%H}/{uuid.uuid4()}.jsonl", lines)


def monitor(name: str, folder: str, **more: Any) -> Any:
    """Return a monitor as its user would write it in Python."""
    from azure.ai.ml import Input
    from azure.ai.ml.entities import (
        AlertNotification,
        BaselineDataRange,
        CronTrigger,
        DataDriftMetricThreshold,
        DataDriftSignal,
        DataQualityMetricsNumerical,
        DataQualityMetricThreshold,
        DataQualitySignal,
        MonitorDefinition,
        MonitorSchedule,
        NumericalDriftMetrics,
        ProductionData,
        ReferenceData,
        ServerlessSparkCompute,
    )

    window = BaselineDataRange(lookback_window_size="P1D", lookback_window_offset="P0D")
    production = ProductionData(
        input_data=Input(type="uri_folder", path=f"{STORE}/{folder}"), data_context="model_inputs", data_window=window
    )
    reference = ReferenceData(
        input_data=Input(type="uri_file", path=f"{STORE}/{folder}-reference.csv"), data_context="training"
    )
    signals = {
        "drift": DataDriftSignal(
            production_data=production, reference_data=reference, features=["distance"], alert_enabled=True,
            metric_thresholds=DataDriftMetricThreshold(
                numerical=NumericalDriftMetrics(
                    normalized_wasserstein_distance=0.5, two_sample_kolmogorov_smirnov_test=0.01
                )
            ),
        ),
        "quality": DataQualitySignal(
            production_data=production, reference_data=reference, features=["distance"], alert_enabled=True,
            metric_thresholds=DataQualityMetricThreshold(numerical=DataQualityMetricsNumerical(null_value_rate=0.2)),
        ),
    }  # fmt: skip
    definition = MonitorDefinition(
        compute=ServerlessSparkCompute(instance_type="standard_e4s_v3", runtime_version="3.4"),
        monitoring_signals=signals,
        alert_notification=AlertNotification(emails=["ml@contoso.com"]),
    )
    trigger = CronTrigger(expression="0 6 * * *", time_zone="UTC", start_time="2026-01-01 00:00:00")
    return MonitorSchedule(name=name, trigger=trigger, create_monitor=definition, tags={}, **more)


def finished(workspace: Workspace, job: str) -> Json:
    path = f"{workspace.id}/jobs/{job}"
    events.until(lambda: workspace.azure.arm("GET", path).json()["properties"]["status"] in ("Completed", "Failed"))
    return dict(workspace.azure.arm("GET", path).json()["properties"])


def test_monitor_finds_the_drift_of_collected_data_and_tags_its_run(
    azureml_workspace: Workspace, ml_client: MLClient, name: str
) -> None:
    folder = f"collected/{name}"
    write(azureml_workspace, f"{folder}-reference.csv", "distance\n" + "\n".join(map(str, range(100, 200))))
    collected(azureml_workspace, folder, list(range(100, 200)))
    made = ml_client.schedules.begin_create_or_update(monitor(name, folder)).result()
    assert made.create_monitor.monitoring_signals["drift"].features == ["distance"]
    assert made.create_monitor.alert_notification.emails == ["ml@contoso.com"]
    same = finished(azureml_workspace, ml_client.schedules.trigger(name).job_name)
    assert (same["status"], same["tags"]) == ("Completed", {})
    assert float(same["properties"]["drift.distance.NormalizedWassersteinDistance"]) == 0
    collected(azureml_workspace, folder, [*range(900, 1000), *[None] * 100])
    other = finished(azureml_workspace, ml_client.schedules.trigger(name).job_name)
    text = "has failed due to one or more features violating metric thresholds"
    assert other["tags"] == {BREACHED: f"drift {text}; quality {text}"}
    assert float(other["properties"]["quality.distance.NullValueRate"]) == pytest.approx(1 / 3, abs=1e-3)
    azureml_workspace.azure.advance(2 * 24 * 3600)  # the schedule fires, and its window has no data any more
    due = events.until(lambda: found if len(found := fired(azureml_workspace, name)) == 2 else None)
    assert finished(azureml_workspace, max(due))["status"] == "Failed"


def fired(workspace: Workspace, name: str) -> list[str]:
    """Return the runs that the schedule started by itself."""
    found = workspace.azure.arm("GET", f"{workspace.id}/jobs", query="&listViewType=All").json()["value"]
    return [job["name"] for job in found if job["name"].startswith(name) and job["name"].endswith("T060000Z")]


def test_monitor_of_a_datastore_without_credentials_fails(identity_workspace: Workspace) -> None:
    """Model monitoring needs credential-based datastores (azure-docs#115943)."""
    client = identity_workspace.client(identity_workspace.azure.credential)
    folder = "collected/keyless"
    write(identity_workspace, f"{folder}-reference.csv", "distance\n1\n2\n")
    collected(identity_workspace, folder, [1, 2])
    client.schedules.begin_create_or_update(monitor("keyless", folder)).result()
    job = client.schedules.trigger("keyless").job_name
    assert finished(identity_workspace, job)["status"] == "Failed"
    error = identity_workspace.azure.resources(identity_workspace.id)[f"{identity_workspace.id}/jobs/{job}"]["run"]
    assert "reads datastores with credentials only" in error["error"]["message"]


@pytest.mark.parametrize("line", ["{", "[1]", "null", '{"specversion": "1.0"}', '{"specversion": "1.0", "time": 5}'])
def test_monitor_of_broken_data_fails(azureml_workspace: Workspace, ml_client: MLClient, name: str, line: str) -> None:
    folder = f"collected/{name}"
    write(azureml_workspace, f"{folder}-reference.csv", "distance\n1\n")
    at = azureml_workspace.azure.now()
    write(azureml_workspace, f"{folder}/{at:%Y/%m/%d/%H}/1.jsonl", f"{line}\n")
    ml_client.schedules.begin_create_or_update(monitor(name, folder)).result()
    job = ml_client.schedules.trigger(name).job_name
    assert finished(azureml_workspace, job)["status"] == "Failed"
    kept = azureml_workspace.azure.resources(azureml_workspace.id)[f"{azureml_workspace.id}/jobs/{job}"]
    assert "line 1" in kept["run"]["error"]["message"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"computeConfiguration": {"instanceType": "Standard_DS2_v2"}}, "computeConfiguration.instanceType"),
        ({"signals": {}}, "signals: The signals field is required"),
        ({"signals": {"a": {"signalType": "ModelPerformance"}}}, "amlite computes DataDrift"),
        ({"signals": {"a": {"signalType": "Gravity"}}}, "not a known signalType"),
        ({"signals": {"a": {"signalType": "DataDrift"}}}, "productionData.uri"),
        ({"monitoringTarget": {"deploymentId": "/nowhere"}}, "was not found"),
        ({"alertNotificationSetting": {"alertNotificationType": "Email"}}, "The emails field is required"),
    ],
)
def test_monitor_is_refused(azureml_workspace: Workspace, change: Json, said: str) -> None:
    answer = put(azureml_workspace, {**definition(), **change})
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


@pytest.mark.attack
@pytest.mark.parametrize(
    ("place", "wrong", "said"),
    [
        ((), [], "Expected an object"),
        (("computeConfiguration",), 5, "computeConfiguration: Expected an object"),
        (("monitoringTarget",), {"deploymentId": []}, "monitoringTarget.deploymentId: Expected text"),
        (("alertNotificationSetting",), "x", "alertNotificationSetting: Expected an object"),
        (("signals",), 5, "signals: Expected an object"),
        (("signals", "a"), [], "signals.a: Expected an object"),
        (("signals", "a", "productionData"), "x", "signals.a.productionData: Expected an object"),
        (("signals", "a", "productionData", "uri"), {"x": 1}, "signals.a.productionData.uri: Expected text"),
        (("signals", "a", "features"), [], "signals.a.features: Expected an object"),
        (("signals", "a", "metricThresholds"), [5], "signals.a.metricThresholds[0]: Expected an object"),
        (("signals", "a", "metricThresholds"), [{}], "signals.a.metricThresholds[0].metric: The metric field is req"),
        (("signals", "a", "productionData", "windowSize"), "x", "windowSize: Expected a duration"),
        (("signals", "a", "productionData", "windowSize"), "P999999999D", "the window does not end in a year"),
        (
            ("signals", "a", "productionData", "inputDataType"),
            "Static",
            "windowStart and windowEnd fields are required",
        ),
    ],
)
def test_a_monitor_has_the_types_of_its_fields(
    azureml_workspace: Workspace, place: tuple[str, ...], wrong: Any, said: str
) -> None:
    """The published models have no monitors in this form. Wrong types were an error of amlite, also in each run."""
    found: Any = {"whole": definition()}
    part, path = found, ("whole", *place)
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = wrong
    answer = put(azureml_workspace, found["whole"])
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "ValidationError")
    assert said in answer.json()["error"]["message"]


def definition() -> Json:
    data = {"uri": f"{STORE}/any", "jobInputType": "uri_folder", "inputDataType": "Trailing", "windowSize": "P7D"}
    signal = {"signalType": "DataDrift", "productionData": data, "referenceData": {**data}, "metricThresholds": []}
    compute = {"computeType": "ServerlessSpark", "instanceType": "standard_e4s_v3", "runtimeVersion": "3.4"}
    return {"computeConfiguration": compute, "signals": {"a": signal}}


def put(workspace: Workspace, monitor: Any) -> requests.Response:
    trigger = {"triggerType": "Cron", "expression": "0 6 * * *", "timeZone": "UTC"}
    action = {"actionType": "CreateMonitor", "monitorDefinition": monitor}
    path = f"{workspace.id}/schedules/refused"
    return workspace.azure.arm("PUT", path, {"properties": {"trigger": trigger, "action": action}}, VERSION)
