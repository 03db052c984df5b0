"""A data collector as azure-ai-ml reads and writes it: its own entities, without Azure."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from azure.ai.ml.entities import DataCollector
from azure.core.exceptions import AzureError, ResourceNotFoundError, ServiceRequestError

from azureml_fixtures.fake_endpoint import FakeEndpoint, run, wanted
from pulumi_azureml.operations import collector
from pulumi_azureml.operations.drift import drift
from pulumi_azureml.operations.staging import load

WORKSPACE = {"subscription_id": "s", "resource_group": "g", "name": "mlw"}
PLACE = "azureml://datastores/workspaceblobstore/paths/modelDataCollector/flights/blue/model_inputs"
ASSET = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/mlw/data"
SETTINGS: dict[str, Any] = {
    "collections": {
        "model_inputs": {"enabled": "True", "data": {"name": "flights-inputs", "path": PLACE, "version": "2"}},
        "request": {"enabled": "false"},
    },
    "sampling_rate": 0.25,
    "rolling_rate": "hour",
    "request_logging": {"capture_headers": ["x-tenant"]},
}


def entity(settings: dict[str, Any]) -> DataCollector:
    definition = {
        "name": "blue", "endpoint_name": "flights", "model": "azureml:delay:1", "instance_type": "Standard_DS3_v2",
        "data_collector": settings,
    }  # fmt: skip
    found: DataCollector = load("load_online_deployment", definition).data_collector
    return found


def in_azure(settings: dict[str, Any]) -> DataCollector:
    """Return what azure-ai-ml reads after it has written these settings."""
    written = entity(settings)
    for name, each in written.collections.items():
        asset, version = (each.data.name, each.data.version) if each.data else (f"flights-blue-{name}", "1")
        each.data = f"{ASSET}/{asset}/versions/{version}"
    body = written._to_rest_object()
    for name, given in body.collections.items():
        given.data_collection_mode = "Enabled" if settings["collections"][name]["enabled"] == "True" else "Disabled"
    body.rolling_rate = "Hour"
    return DataCollector._from_rest_object(body)


def test_what_azure_has_is_no_drift_and_a_manual_change_is() -> None:
    definition = {"data_collector": SETTINGS}
    assert drift(SimpleNamespace(tags={}, data_collector=in_azure(SETTINGS)), definition) == {}
    other = in_azure(SETTINGS)
    other.sampling_rate = 1.0
    found = drift(SimpleNamespace(tags={}, data_collector=other), definition)["data_collector"]
    assert found["sampling_rate"] == 1.0
    off = drift(SimpleNamespace(tags={}, data_collector=None), definition)
    assert off["data_collector"]["collections"] == {}


def test_a_collector_that_was_read_can_be_written_again_and_twice() -> None:
    """azure-ai-ml 1.x: `_register_collection_data_assets` reads `.name` of the id that `get` returned."""
    read = in_azure(SETTINGS)
    for _ in range(2):
        again = collector.renewed(read)
        assert (again.collections["model_inputs"].data.name, again.collections["model_inputs"].data.version) == (
            "flights-inputs",
            "2",
        )
        assert again._to_rest_object().collections["model_inputs"].sampling_rate == 0.25
    assert collector.renewed(None) is None


def test_a_change_in_place_sends_a_collector_that_azure_ai_ml_can_write(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=100, data_collector=in_azure(SETTINGS))
    sent: list[Any] = []
    deploy = endpoint.online_deployments.begin_create_or_update

    def record(deployment: Any) -> Any:
        sent.append(deployment.data_collector.collections["model_inputs"].data.name)
        deployment.data_collector._to_rest_object()
        return deploy(deployment)

    endpoint.online_deployments.begin_create_or_update = record
    run(endpoint, "blue-1", definition={"description": "another"})
    assert sent == ["flights-inputs"]


def refusal(monkeypatch: pytest.MonkeyPatch, there: str | AzureError) -> str | None:
    def get(name: str, version: str) -> Any:
        assert (name, version) == ("flights-inputs", "2")
        if isinstance(there, AzureError):
            raise there
        return SimpleNamespace(path=f"azureml://subscriptions/s/resourcegroups/g/workspaces/mlw/{there}")

    monkeypatch.setattr(collector, "connect", lambda _place: SimpleNamespace(data=SimpleNamespace(get=get)))
    return collector.refusal({"workspace": WORKSPACE, "deployment": {"definition": {"data_collector": SETTINGS}}})


def test_a_data_asset_with_another_path_is_refused_in_the_preview(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """azure-ai-ml takes an existing asset as it is, and the data would go to its path."""
    assert refusal(monkeypatch, PLACE.removeprefix("azureml://") + "/") is None
    assert refusal(monkeypatch, ResourceNotFoundError("not found")) is None
    reason = refusal(monkeypatch, "datastores/workspaceblobstore/paths/elsewhere")
    assert reason is not None
    assert "exists with the path 'datastores/workspaceblobstore/paths/elsewhere'" in reason
    assert "Raise its `version`" in reason
    caplog.set_level(logging.WARNING)
    assert refusal(monkeypatch, ServiceRequestError("no network")) is None
    assert "could not be looked up: no network" in caplog.text


def test_without_places_of_its_own_nothing_is_asked() -> None:
    plain = {"collections": {"model_inputs": {"enabled": "true"}}}
    for definition in ({}, {"data_collector": plain}):
        assert collector.refusal({"workspace": WORKSPACE, "deployment": {"definition": definition}}) is None
    assert wanted("blue").data_collector is None
