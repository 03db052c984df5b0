"""What reacts to the arrival of flights: the data lake, Databricks and Data Factory of the example."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import ResourceNotFoundError

from amlite.pulumi.resource_types import TYPES
from amlite.services.databricks import definition as jobs
from amlite.services.datafactory import definition as pipelines
from tests.unit.infra.deployed import Deployment, Registered, deploy

EXAMPLE = Path(__file__).resolve().parents[4] / "examples" / "custom-images"
TRIGGER = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DataFactory/factories/f/triggers/t"


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    return deploy("dev", project="custom-images", folder=EXAMPLE)


@pytest.fixture
def trigger_state(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    return importlib.import_module("components.trigger_state")


@pytest.fixture
def objects(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    return importlib.import_module("components.workspace_objects")


def body(resource: Registered) -> dict[str, Any]:
    """Return what azure-native sends for a resource."""
    return TYPES[resource.type].body(resource.inputs)


def objects_of(deployment: Deployment) -> dict[str, Registered]:
    found = (each for each in deployment.resources if each.inputs.get("kind") in ("job", "file", "location"))
    return {each.inputs["kind"]: each for each in found if "definition" in each.inputs and "host" in each.inputs}


def test_the_pipeline_is_one_that_the_local_azure_runs(deployment: Deployment) -> None:
    made = body(deployment.one("datafactory:Pipeline"))["properties"]
    pipelines.check("train-departures", made, ["databricks"])
    steps = {each["name"]: each for each in pipelines.every(made["activities"])}
    assert list(steps) == ["Prepare", "Train", "Wait for the job", "Pause", "Check", "Completed", "Report"]
    train = steps["Train"]["typeProperties"]
    assert train["authentication"] == {"type": "MSI", "resource": "https://ml.azure.com"}
    assert train["body"]["properties"]["inputData"]["daily"]["jobInputType"] == "UriFolder"
    assert made["concurrency"] == 1


def test_every_trigger_has_its_started_state_as_a_resource(deployment: Deployment) -> None:
    triggers = {each.inputs["triggerName"] for each in deployment.of("datafactory:Trigger")}
    states = [each for each in deployment.resources if "started" in each.inputs]
    assert triggers == {"flights-arrive", "every-monday"}
    assert [each.inputs["started"] for each in states] == [True, True]
    arrival = next(each for each in deployment.of("datafactory:Trigger") if each.name.endswith("flights-arrive"))
    given = body(arrival)["properties"]["typeProperties"]
    assert (given["blobPathBeginsWith"], given["blobPathEndsWith"]) == ("/departures/blobs/raw/", ".parquet")


def test_roles_of_the_factory_and_of_the_access_connector(deployment: Deployment) -> None:
    found = {
        (each.inputs["principalId"], each.name)
        for each in deployment.of("authorization:RoleAssignment")
        if each.name.startswith(("factory-", "databricks-"))
    }
    assert found == {
        ("principal-of-factory", "factory-endpoint"),
        ("principal-of-factory", "factory-table"),
        ("principal-of-factory", "factory-databricks"),
        ("principal-of-databricks-connector", "databricks-connector-storage-blob-data-contributor"),
    }


def test_the_job_is_one_that_the_local_azure_runs(deployment: Deployment) -> None:
    found = objects_of(deployment)
    jobs.check({"name": "prepare", **found["job"].inputs["definition"]})
    work = found["job"].inputs["definition"]["tasks"][0]["spark_python_task"]
    assert work["python_file"] == found["file"].inputs["name"]
    assert all(each.startswith(found["location"].inputs["definition"]["url"]) for each in work["parameters"])
    assert deployment.one("databricks:Workspace").inputs["sku"] == {"name": "premium"}


def test_trigger_is_started_after_it_was_created_or_changed(
    trigger_state: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(trigger_state.arm, "finish", lambda method, path, _version: asked.append(f"{method} {path}"))
    provider = trigger_state.TriggerStateProvider()
    old = {"trigger_id": TRIGGER, "definition": {"interval": 1}, "started": True}
    new = {**old, "definition": {"interval": 2}}
    assert provider.create(old).id == TRIGGER
    assert (provider.diff(TRIGGER, old, old).changes, provider.diff(TRIGGER, old, new).changes) == (False, True)
    assert provider.diff(TRIGGER, old, {**old, "trigger_id": "other"}).replaces == ["trigger_id"]
    provider.update(TRIGGER, old, new)
    provider.delete(TRIGGER, new)
    start, stop = f"POST {TRIGGER}/start", f"POST {TRIGGER}/stop"
    assert asked == [start, start, stop]


def test_trigger_is_stopped_before_azure_native_changes_it(
    trigger_state: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, bool]] = []
    hooks: list[Any] = []
    monkeypatch.setattr(trigger_state, "switch", lambda id, *, on: asked.append((id, on)))
    monkeypatch.setattr(trigger_state.pulumi, "ResourceHook", lambda _name, call: hooks.append(call) or call)
    monkeypatch.setattr(trigger_state.pulumi, "ResourceHookBinding", SimpleNamespace)
    trigger_state.stopped_before_update("t")
    hooks[0](SimpleNamespace(id=TRIGGER))
    assert asked == [(TRIGGER, False)]


def test_refresh_sees_a_trigger_that_somebody_stopped(
    trigger_state: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, props = trigger_state.TriggerStateProvider(), {"trigger_id": TRIGGER, "definition": {}, "started": True}
    answer = {"properties": {"runtimeState": "Stopped"}}
    monkeypatch.setattr(trigger_state.arm, "send", lambda *_: answer)
    assert provider.read(TRIGGER, props).outs["started"] is False

    def missing(*_: Any) -> None:
        raise ResourceNotFoundError("gone")

    monkeypatch.setattr(trigger_state.arm, "send", missing)
    monkeypatch.setattr(trigger_state.arm, "finish", missing)
    assert provider.read(TRIGGER, props).id == ""
    provider.delete(TRIGGER, props)
    with pytest.raises(ResourceNotFoundError):
        provider.create(props)


class Workspace:
    """The REST API of a workspace: it answers what it is told to, and notes the requests."""

    def __init__(self, *missing: str) -> None:
        self.asked: list[str] = []
        self._missing = missing

    def send(self, method: str, _host: str, path: str, body: Any = None, query: Any = None) -> dict[str, Any]:
        self.asked.append(f"{method} {path} {json.dumps(body or query or {})}")
        if any(path.endswith(each) for each in self._missing):
            self._missing = ()
            raise ResourceNotFoundError("gone")
        return {"job_id": 7}


@pytest.mark.parametrize(
    ("kind", "id", "asked"),
    [
        ("location", "lake", ["PATCH", "POST", "PATCH", "GET", "DELETE"]),
        ("file", "/Workspace/a/b.py", ["POST", "POST", "POST", "POST", "GET", "POST"]),
        ("job", "7", ["POST", "POST", "GET", "POST"]),
    ],
)
def test_object_of_a_workspace_is_created_changed_read_and_deleted(
    objects: ModuleType, monkeypatch: pytest.MonkeyPatch, kind: str, id: str, asked: list[str]
) -> None:
    workspace = Workspace("/lake")
    monkeypatch.setattr(objects.rest, "send", workspace.send)
    provider = objects.WorkspaceObjectProvider()
    definition: Any = "print(1)" if kind == "file" else {"tasks": []}
    props = {"host": "h", "kind": kind, "name": "lake" if kind != "file" else id, "definition": definition}
    made = provider.create(props)
    assert made.id == id
    assert provider.diff(id, made.outs, props).changes is False
    assert provider.diff(id, made.outs, {**props, "host": "other"}).replaces == ["host"]
    assert provider.update(id, made.outs, props).outs["number"] == ("7" if kind == "job" else None)
    assert provider.read(id, made.outs).id == id
    provider.delete(id, made.outs)
    assert [each.partition(" ")[0] for each in workspace.asked] == asked


def test_object_of_a_workspace_that_is_gone_is_not_deleted_again(
    objects: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, props = objects.WorkspaceObjectProvider(), {"host": "h", "kind": "location", "name": "lake"}
    monkeypatch.setattr(objects.rest, "send", Workspace("/lake").send)
    assert provider.read("lake", props).id == ""
    monkeypatch.setattr(objects.rest, "send", Workspace("/lake").send)
    provider.delete("lake", props)
