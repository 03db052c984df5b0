"""`release publish` against a real workspace and registry: what it shares, and that it goes on after faults."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from amlite.testing import Workspace
from amlite_fixtures.azure import REGISTRY, REGISTRY_ID
from infra.outputs import EndpointOutput, ModelOutput
from pulumi_azureml import Overrides
from release.deploying import earlier
from release.errors import ReleaseError
from release.gate.decision import Decision
from release.publishing import publisher
from release.publishing.metadata import Release
from release.publishing.publisher import Publisher

if TYPE_CHECKING:
    from azure.ai.ml import MLClient


@pytest.fixture
def name() -> str:
    return f"published_{uuid.uuid4().hex[:10]}"


@pytest.fixture
def job(ml_client: MLClient, azureml_workspace: Workspace, name: str, tmp_path: Path) -> Any:
    """Make what a training leaves behind: an environment, a component and a model. Return its completed job."""
    from azure.ai.ml import command
    from azure.ai.ml.entities import Environment, Model

    ml_client.environments.create_or_update(
        Environment(name=name, version="e1", image="mcr.microsoft.com/azureml/base")
    )
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text("print('training')\n")
    component = command(
        name=name, version="c1", command="python train.py", code=str(tmp_path / "src"), environment=f"{name}:e1"
    ).component
    ml_client.components.create_or_update(component)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "MLmodel").write_text("flavors: {}\n")
    tags = {"pipeline_job": "busy_rain", "git_sha": "c0ffee", "data": "flights:4", "training_code_sha256": "c0de"}
    ml_client.models.create_or_update(
        Model(name=name, version="7", path=str(tmp_path / "model"), type="custom_model", tags=tags)
    )
    return SimpleNamespace(
        name="busy_rain",
        status="Completed",
        studio_url="https://ml.azure.com/runs/busy_rain",
        jobs={"train": SimpleNamespace(component=f"azureml:{name}:c1")},
        _to_dict=lambda: {"inputs": {"flights": {"type": "uri_file", "path": "azureml:flights:4"}, "rate": 0.1}},
    )


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def publishing(
    registry: MLClient, ml_client: MLClient, azureml_workspace: Workspace, job: Any, name: str, said: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Publisher:  # fmt: skip
    """Return a publisher of that job. Jobs are the concern of other tests."""
    deployment = SimpleNamespace(
        name="flights/blue", serves=name, version="d1", metadata={},
        definition={"name": "blue", "model": f"azureml:{name}:7", "environment": f"azureml:{name}:e1"},
    )  # fmt: skip
    environment = SimpleNamespace(name=name, version="e1", registry=None)
    planned = {"environment": [environment], "online_deployment": [deployment], "batch_deployment": []}
    monkeypatch.setattr(publisher, "load", lambda _: SimpleNamespace(of=planned.__getitem__))
    decision = Decision(
        decision_version=1, deploy_flag=1, reason="better", model=name, metrics={"roc_auc": 0.7}, checks=[],
        champion=None, slices=[], report="report.html",
    )  # fmt: skip
    training = SimpleNamespace(decision=decision, model=name, version="7", reason="better")
    monkeypatch.setattr(publisher, "gated", lambda *_: training)
    monkeypatch.setattr(publisher, "client", lambda _: ml_client)
    monkeypatch.setattr(publisher, "registry_client", lambda _: registry)
    monkeypatch.setattr(ml_client.jobs, "get", lambda _name: job)
    endpoint = EndpointOutput(
        name="flights", kind="online", auth_mode="key", scoring_uri="x", deployment=None, serves=name
    )
    outputs: Any = SimpleNamespace(
        workspace_id=azureml_workspace.id, endpoints={"flights": endpoint}, overrides=Overrides()
    )
    return Publisher("dev", outputs, REGISTRY, said.append, sleep=lambda _: None)


def test_model_component_and_environment_are_shared_and_described(
    publishing: Publisher, registry: MLClient, name: str, tmp_path: Path
) -> None:
    release = publishing.publish(None)
    there = f"azureml://registries/{REGISTRY}"
    assert release.model.id == f"{there}/models/{name}/versions/7"
    assert [each.id for each in release.components] == [f"{there}/components/{name}/versions/c1"]
    assert [each.id for each in release.environments] == [f"{there}/environments/{name}/versions/e1"]
    assert (release.commit, release.training.name, release.training.code_sha256) == ("c0ffee", "busy_rain", "c0de")
    assert release.training.inputs == {"flights": "azureml:flights:4"}
    (deployment,) = release.deployments
    assert deployment.settings == {"name": "blue", "environment": f"{there}/environments/{name}/versions/e1"}
    found = registry.models.get(name, "7").tags
    assert found["shared_content_sha256"] == release.model.sha256
    assert found["shared_by"] == release.published_by
    lineage = {key: found[f"shared_from_{key}"] for key in ("job", "data", "code", "commit")}
    assert lineage == {"job": "busy_rain", "data": "flights:4", "code": "c0de", "commit": "c0ffee"}
    assert release.evidence.items() <= found.items()
    assert found["published_from_job"] == "busy_rain"
    release.write(tmp_path / "release.json")
    assert Release.read(tmp_path / "release.json") == release
    assert json.loads((tmp_path / "release.json").read_text())["metadata_version"] == 1


@pytest.mark.parametrize(
    ("request_", "fault"),
    [
        # azure-sdk-for-python#39502: another job shares the same environment.
        ("PUT */registries/*/environments/*", "conflict"),
        ("PUT */registries/*/components/*", "reset"),
        ("POST */registries/*/import", "expired"),
        ("PUT */registries/*/models/*", "lost-response"),
    ],
)
def test_a_fault_in_the_middle_is_repeated_and_nothing_is_there_twice(
    publishing: Publisher, registry: MLClient, azureml_workspace: Workspace, name: str, request_: str, fault: str
) -> None:
    azureml_workspace.azure.add_fault(request_, fault)
    try:
        release = publishing.publish(None)
        assert "met 1 " in azureml_workspace.azure.command("fault", "list")
    finally:
        azureml_workspace.azure.clear_faults()
    assert release.model.version == "7"
    for kind in ("models", "components", "environments"):
        assert len(list(getattr(registry, kind).list(name=name))) == 1


def test_a_registry_out_of_reach_ends_with_one_error_and_the_next_run_completes_it(
    publishing: Publisher, registry: MLClient, azureml_workspace: Workspace, name: str, said: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(publisher, "_WAITS", (2.0,))
    azureml_workspace.azure.add_fault(f"POST *{REGISTRY_ID.rpartition('/')[2]}*/import", "error", rate=1)
    try:
        with pytest.raises(ReleaseError, match=f"cannot share model {name}"):
            publishing.publish(None)
    finally:
        azureml_workspace.azure.clear_faults()
    assert [line.rpartition("; ")[2] for line in said if "trying again" in line] == ["trying again in 2 s"]
    assert registry.components.get(name, "c1").tags["shared_from_workspace"] == azureml_workspace.id
    said.clear()
    again = Publisher("dev", publishing.outputs, REGISTRY, said.append)
    assert again.publish("busy_rain").model.version == "7"
    assert len([line for line in said if "already shared with the same content" in line]) == 2


def test_an_archived_version_is_told_from_one_that_is_listed(
    publishing: Publisher, registry: MLClient, ml_client: MLClient, azureml_workspace: Workspace, name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    publishing.publish(None)
    monkeypatch.setattr(earlier, "client", lambda _: ml_client)
    monkeypatch.setattr(earlier, "registry_client", lambda _: registry)
    outputs: Any = SimpleNamespace(workspace=azureml_workspace.name, resource_group="rg")
    for holder, place in ((None, ml_client), (REGISTRY, registry)):
        model = ModelOutput(name=name, version="7", registry=holder)
        earlier.check_readable(outputs, model)
        place.models.archive(name=name, version="7")
        with pytest.raises(ReleaseError, match=f"{name} version 7 is archived in "):
            earlier.check_readable(outputs, model)
        place.models.restore(name=name, version="7")
        earlier.check_readable(outputs, model)
