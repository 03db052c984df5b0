"""`release share` against real workspaces and registries: same version, same bytes, lineage, and what it refuses."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from amlite.testing import Workspace
from amlite_fixtures import azure
from amlite_fixtures.azure import GROUP, REGISTRY, REGISTRY_ID
from infra.outputs import StackOutputs
from release import cli
from release.actor import actor
from release.assets import command
from release.assets.sharing import ACTOR_TAG, CONTENT_TAG, RegistrySharing
from release.errors import ReleaseError
from release.workspace import registry_client

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.ai.ml.entities import Environment

IMAGE = "mcr.microsoft.com/azureml/base"


@pytest.fixture
def name() -> str:
    return f"shared_{uuid.uuid4().hex[:10]}"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def sharing(registry: MLClient, ml_client: MLClient, azureml_workspace: Workspace, said: list[str]) -> RegistrySharing:
    return RegistrySharing(ml_client, registry, REGISTRY, azureml_workspace.id, said.append)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    (made / "data").mkdir(parents=True)
    (made / "MLmodel").write_text("flavors: {}\n", "utf-8")
    (made / "data" / "part 1.bin").write_bytes(b"\x00\x01" * 1000)
    return made


def model(client: MLClient, name: str, path: Path, version: str = "c0ffee") -> Any:
    from azure.ai.ml.entities import Model

    tags = {"auc": "0.71", "git_sha": "9a736ad", "pipeline_job": "busy_rain", "data": "flights:4"}
    return client.models.create_or_update(
        Model(name=name, version=version, path=str(path), type="custom_model", tags=tags, properties={"owner": "ops"})
    )


def environment(name: str, **parts: Any) -> Environment:
    from azure.ai.ml.entities import Environment

    given = parts or {"image": IMAGE, "conda_file": {"dependencies": ["python=3.11"]}}
    return Environment(name=name, version="v1", tags={"team": "ops"}, **given)


def test_a_shared_model_keeps_version_bytes_tags_and_says_where_it_came_from(
    sharing: RegistrySharing,
    registry: MLClient,
    ml_client: MLClient,
    azureml_workspace: Workspace,
    name: str,
    folder: Path,
) -> None:
    """User pains 16 and 17: the same bytes under the same version, lineage kept."""
    model(ml_client, name, folder)
    shared = sharing.share("model", name)
    assert (shared.version, shared.created) == ("c0ffee", True)
    assert shared.id == f"azureml://registries/{REGISTRY}/models/{name}/versions/c0ffee"
    found = registry.models.get(name, "c0ffee")
    assert found.properties["owner"] == "ops"
    assert found.tags.pop(CONTENT_TAG)
    assert found.tags.pop(ACTOR_TAG) == actor()
    assert found.tags == {
        "auc": "0.71",
        "git_sha": "9a736ad",
        "pipeline_job": "busy_rain",
        "data": "flights:4",
        "shared_from_workspace": azureml_workspace.id,
        "shared_from_job": "busy_rain",
        "shared_from_data": "flights:4",
        "shared_from_commit": "9a736ad",
    }


def test_sharing_again_says_that_it_is_there_and_writes_nothing(
    sharing: RegistrySharing,
    azureml_workspace: Workspace,
    ml_client: MLClient,
    name: str,
    folder: Path,
    said: list[str],
) -> None:
    model(ml_client, name, folder)
    sharing.share("model", name)
    writes = [line for line in azureml_workspace.azure.requests(name) if line["method"] in ("PUT", "POST")]
    again = RegistrySharing(ml_client, sharing.registry, REGISTRY, azureml_workspace.id, said.append).share(
        "model", name, "c0ffee"
    )
    assert not again.created
    assert "already shared with the same content" in said[-1]
    after = [line for line in azureml_workspace.azure.requests(name) if line["method"] in ("PUT", "POST")]
    assert {line["path"].split(REGISTRY)[-1].split("/")[1] for line in after[len(writes) :]} <= {"datarefs"}


def test_other_content_under_the_same_version_is_refused(
    sharing: RegistrySharing, registry: MLClient, ml_client: MLClient, name: str, folder: Path
) -> None:
    from azure.ai.ml.entities import Model

    model(ml_client, name, folder)
    (folder / "data" / "part 1.bin").write_bytes(b"\x02")
    registry.models.create_or_update(Model(name=name, version="c0ffee", path=str(folder), type="custom_model"))
    with pytest.raises(ReleaseError, match=r"different content \(1 file\(s\) differ, such as data/part 1.bin\)"):
        sharing.share("model", name)


def test_a_share_that_was_cut_off_before_its_lineage_is_completed(
    sharing: RegistrySharing, registry: MLClient, ml_client: MLClient, name: str, folder: Path
) -> None:
    model(ml_client, name, folder)
    ml_client.models.share(name, "c0ffee", share_with_name=name, share_with_version="c0ffee", registry_name=REGISTRY)
    assert not sharing.share("model", name).created
    assert registry.models.get(name, "c0ffee").tags["shared_from_commit"] == "9a736ad"


def test_a_component_brings_its_environment_and_the_same_code(
    sharing: RegistrySharing, registry: MLClient, ml_client: MLClient, name: str, tmp_path: Path
) -> None:
    """User pains 5 and 6: nothing anonymous, and what was written is what was shared."""
    from azure.ai.ml import Input
    from azure.ai.ml.entities import CommandComponent

    code = tmp_path / "code"
    (code / "package").mkdir(parents=True)
    (code / "main.py").write_text(f"print('{name}')\n", "utf-8")
    (code / "package" / "__init__.py").write_text("", "utf-8")
    ml_client.environments.create_or_update(environment(f"{name}_env"))
    ml_client.components.create_or_update(
        CommandComponent(
            name=name, version="ab12", code=str(code), command="python main.py ${{inputs.rate}}",
            environment=f"azureml:{name}_env:v1", inputs={"rate": Input(type="number", default=0.1)},
            tags={"team": "ops"},
        )
    )  # fmt: skip
    assert sharing.share("component", name, "ab12").created
    found = registry.components.get(name, "ab12")
    assert found.environment == f"azureml://registries/{REGISTRY}/environments/{name}_env/versions/v1"
    assert found.inputs["rate"].default == 0.1
    assert found.tags["team"] == "ops"
    assert registry.environments.get(f"{name}_env", "v1").tags["shared_from_workspace"] == sharing.origin
    again = RegistrySharing(ml_client, registry, REGISTRY, sharing.origin, lambda _line: None)
    assert not again.share("component", name, "ab12").created


def test_a_pipeline_component_brings_its_steps_under_their_names(
    sharing: RegistrySharing, registry: MLClient, ml_client: MLClient, name: str, tmp_path: Path
) -> None:
    """User pain 6: no step of a shared pipeline is anonymous."""
    from azure.ai.ml import load_component
    from azure.ai.ml.entities import CommandComponent

    ml_client.environments.create_or_update(environment(f"{name}_env"))
    ml_client.components.create_or_update(
        CommandComponent(name=f"{name}_step", version="s1", command="true", environment=f"azureml:{name}_env:v1")
    )
    path = tmp_path / "pipeline.yml"
    step = {"type": "command", "component": f"azureml:{name}_step:s1"}
    path.write_text(json.dumps({"type": "pipeline", "name": name, "version": "p1", "jobs": {"one": step}}), "utf-8")
    ml_client.components.create_or_update(load_component(path))
    assert sharing.share("component", name, "p1").created
    node = registry.components.get(name, "p1").jobs["one"]
    assert f"registries/{REGISTRY}/components/{name}_step/versions/s1" in str(node.component)
    assert (
        not RegistrySharing(ml_client, registry, REGISTRY, sharing.origin, print).share("component", name, "p1").created
    )


def test_an_environment_with_a_build_context_and_data_are_shared(
    sharing: RegistrySharing, registry: MLClient, ml_client: MLClient, name: str, tmp_path: Path
) -> None:
    from azure.ai.ml.entities import BuildContext, Data

    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "Dockerfile").write_text("FROM scratch\n", "utf-8")
    (tmp_path / "rows.csv").write_text("a\n1\n", "utf-8")
    ml_client.environments.create_or_update(environment(name, build=BuildContext(path=tmp_path / "context")))
    ml_client.data.create_or_update(Data(name=name, version="d1", type="uri_file", path=str(tmp_path / "rows.csv")))
    assert sharing.share("environment", name).created
    assert sharing.share("data", name).created
    assert registry.environments.get(name, "v1").tags["team"] == "ops"
    assert registry.data.get(name, "d1").tags["shared_from_workspace"] == sharing.origin


@pytest.mark.parametrize(
    ("kind", "request_", "fault"),
    [
        ("environment", "PUT */registries/*/environments/*", "lro-fail"),
        ("environment", "PUT */registries/*/environments/*", "lost-response"),
        ("model", "POST */registries/*/import", "lro-fail"),
        ("model", "POST */registries/*/import", "lost-response"),
        ("model", "PUT */registries/*/models/*", "reset"),
    ],
)
def test_sharing_goes_on_where_it_was_cut_off(
    sharing: RegistrySharing, registry: MLClient, ml_client: MLClient, azureml_workspace: Workspace, name: str,
    folder: Path, kind: str, request_: str, fault: str,
) -> None:  # fmt: skip
    """User pain 25: what was made, and not heard of, is found and completed."""
    if kind == "model":
        model(ml_client, name, folder)
    else:
        ml_client.environments.create_or_update(environment(name))
    azureml_workspace.azure.command("fault", "add", "--match", request_, "--kind", fault)
    try:
        sharing.share(kind, name)
    except ReleaseError as error:
        assert f"cannot share {kind} {name}" in error.message  # noqa: PT017 - a client's retry may hide the fault
    finally:
        assert "met 1 " in azureml_workspace.azure.command("fault", "list")
        azureml_workspace.azure.clear_faults()
    again = RegistrySharing(ml_client, registry, REGISTRY, azureml_workspace.id, print).share(kind, name)
    found = getattr(registry, f"{kind}s").get(name, again.version)
    assert found.tags["shared_from_workspace"] == azureml_workspace.id
    assert len(list(getattr(registry, f"{kind}s").list(name=name))) == 1


def test_what_the_registry_changed_fails_loudly(
    sharing: RegistrySharing, ml_client: MLClient, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """User pain 6: "Done" is not believed."""
    model(ml_client, name, folder)
    monkeypatch.setattr(RegistrySharing, "_describe", lambda *_: None)
    with pytest.raises(ReleaseError, match="missing tags: shared_by, shared_content_sha256, shared_from_commit"):
        sharing.share("model", name)


def test_what_is_not_there_or_not_allowed_is_one_clear_error(
    sharing: RegistrySharing,
    azureml_workspace: Workspace,
    registry: MLClient,
    ml_client: MLClient,
    name: str,
    folder: Path,
) -> None:
    with pytest.raises(ReleaseError, match=f"the workspace has no version 7 of model '{name}'"):
        sharing.share("model", name, "7")
    with pytest.raises(ReleaseError, match=r"(?s)cannot open registry 'nowhere'.*not found.*\n  fix: .*--registry"):
        registry_client("nowhere")
    with pytest.raises(ReleaseError, match=r"(?s)cannot open registry 'nowhere'.*\n  fix: correct the name"):
        registry_client("nowhere", "correct the name")
    model(ml_client, name, folder)
    reader = azureml_workspace.azure.application(
        ("AzureML Data Scientist", azureml_workspace.id), ("Reader", REGISTRY_ID)
    )
    limited = RegistrySharing(
        azureml_workspace.client(reader),
        azure.registry_client(credential=reader),
        REGISTRY,
        azureml_workspace.id,
        print,
    )
    with pytest.raises(ReleaseError, match=r"cannot share model.*registries/assets/write"):
        limited.share("model", name)


def test_the_command_shares_what_the_stack_serves(
    registry: MLClient, ml_client: MLClient, azureml_workspace: Workspace, name: str, folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    model(ml_client, name, folder, "3")
    model(ml_client, name, folder, "4")
    _, _, subscription, *_ = azureml_workspace.id.split("/")
    outputs = StackOutputs.model_validate(
        {
            "outputs_version": 1, "subscription_id": subscription, "resource_group": GROUP,
            "workspace": azureml_workspace.name, "workspace_id": azureml_workspace.id,
            "container_registry": "x", "login_server": "x.azurecr.io", "compute": [],
            "assets": {}, "schedules": {}, "endpoints": {}, "models": {"live": {"name": name, "version": "3"}},
        }
    )  # fmt: skip
    monkeypatch.setattr(command, "PulumiStack", lambda _name: type("Stack", (), {"deployed": lambda _self: outputs})())
    arguments = ["share", "--stack", "local", "model", name]
    unnamed = CliRunner().invoke(cli.main, arguments)
    assert (unnamed.exit_code, "fix: use --registry NAME" in unnamed.output) == (1, True)
    done = CliRunner().invoke(cli.main, [*arguments, "--registry", REGISTRY])
    assert done.exit_code == 0, done.output
    assert done.output.strip().endswith(f"azureml://registries/{REGISTRY}/models/{name}/versions/3")
