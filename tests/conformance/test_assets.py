"""Codes, components, environments, data and models by the real client: created, found again, kept from changing."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from tests.conformance.conftest import Workspace

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.ai.ml.entities import Component


@pytest.fixture
def name() -> str:
    return f"asset-{uuid.uuid4().hex[:10]}"


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "src"
    folder.mkdir()
    (folder / "main.py").write_text(f"print('{uuid.uuid4()}')\n", "utf-8")
    return folder


@pytest.fixture(scope="session")
def environment(ml_client: MLClient) -> str:
    from azure.ai.ml.entities import Environment

    made = ml_client.environments.create_or_update(Environment(name="base", version="1", image="python:3.11"))
    return f"azureml:{made.name}:{made.version}"


def component(
    name: str, code: Path, environment: str, version: str = "1", command: str = "python main.py"
) -> Component:
    from azure.ai.ml import Input, Output, command as command_component

    made = command_component(
        name=name, version=version, code=str(code), command=command, environment=environment,
        inputs={"rate": Input(type="number", default=0.1)}, outputs={"model": Output(type="uri_folder")},
    ).component  # fmt: skip
    return made


def test_Environment_CreateOrUpdate_KeepsImageAndConda(ml_client: MLClient, name: str) -> None:
    from azure.ai.ml.entities import Environment

    conda = {"name": "e", "dependencies": ["python=3.11", {"pip": ["numpy"]}]}
    ml_client.environments.create_or_update(Environment(name=name, version="1", image="python:3.11", conda_file=conda))
    found = ml_client.environments.get(name, "1")
    assert found.image == "python:3.11"
    assert found.conda_file["dependencies"][1] == {"pip": ["numpy"]}
    assert found.os_type == "Linux"


def test_Environment_CreateOrUpdate_NumbersVersionsItself(ml_client: MLClient, name: str) -> None:
    from azure.ai.ml.entities import Environment

    first = ml_client.environments.create_or_update(Environment(name=name, image="python:3.11"))
    second = ml_client.environments.create_or_update(Environment(name=name, image="python:3.12"))
    assert (first.version, second.version) == ("1", "2")
    assert ml_client.environments.get(name, label="latest").image == "python:3.12"
    assert [entry.version for entry in ml_client.environments.list(name=name)] == ["1", "2"]


def test_Environment_CreateOrUpdate_RefusesOtherContentOfAVersion(ml_client: MLClient, name: str) -> None:
    from azure.ai.ml.entities import Environment

    ml_client.environments.create_or_update(Environment(name=name, version="1", image="python:3.11", tags={"a": "1"}))
    again = ml_client.environments.create_or_update(
        Environment(name=name, version="1", image="python:3.11", tags={"a": "2"}, description="same content")
    )
    assert (again.tags["a"], again.description) == ("2", "same content")
    with pytest.raises(HttpResponseError, match="already exists") as refused:
        ml_client.environments.create_or_update(Environment(name=name, version="1", image="python:3.12"))
    assert refused.value.status_code == 400


def test_Environment_CreateOrUpdate_UploadsABuildContext(ml_client: MLClient, name: str, tmp_path: Path) -> None:
    from azure.ai.ml.entities import BuildContext, Environment

    (tmp_path / "Dockerfile").write_text("FROM scratch\n", "utf-8")
    made = ml_client.environments.create_or_update(
        Environment(name=name, version="1", build=BuildContext(path=tmp_path))
    )
    assert ".blob.core.windows.net/azureml-blobstore-" in made.build.path


def test_Environment_CreateOrUpdate_RefusesNeitherImageNorBuild(workspace: Workspace, name: str) -> None:
    answer = workspace.azure.arm("PUT", f"{workspace.id}/environments/{name}/versions/1", {"properties": {}})
    assert answer.status_code == 400
    assert "image" in answer.json()["error"]["message"]


def test_Environment_Archive_HidesItUntilRestored(ml_client: MLClient, name: str) -> None:
    from azure.ai.ml.entities import Environment

    for version in ("1", "2"):
        ml_client.environments.create_or_update(Environment(name=name, version=version, image=f"python:3.{version}"))
    ml_client.environments.archive(name=name, version="2")
    assert [entry.version for entry in ml_client.environments.list(name=name)] == ["1"]
    assert ml_client.environments.get(name, "2").image == "python:3.2"
    ml_client.environments.restore(name=name, version="2")
    assert [entry.version for entry in ml_client.environments.list(name=name)] == ["1", "2"]


def test_Component_CreateOrUpdate_UploadsItsCode(ml_client: MLClient, name: str, code: Path, environment: str) -> None:
    made = ml_client.components.create_or_update(component(name, code, environment))
    assert (made.name, made.version) == (name, "1")
    found = ml_client.components.get(name, "1")
    assert found.command == "python main.py"
    assert found.inputs["rate"].default == 0.1
    assert "/codes/" in found.code


def test_Component_CreateOrUpdate_DoesNotUploadTheSameCodeTwice(
    workspace: Workspace, ml_client: MLClient, name: str, code: Path, environment: str
) -> None:
    first = ml_client.components.create_or_update(component(name, code, environment))
    uploads = len(workspace.azure.requests("startPendingUpload"))
    second = ml_client.components.create_or_update(component(f"{name}-b", code, environment))
    assert first.code == second.code
    assert len(workspace.azure.requests("startPendingUpload")) == uploads


def test_Component_CreateOrUpdate_RefusesOtherContentOfAVersion(
    ml_client: MLClient, name: str, code: Path, environment: str
) -> None:
    ml_client.components.create_or_update(component(name, code, environment))
    same = component(name, code, environment)
    same.tags = {"reviewed": "yes"}
    assert ml_client.components.create_or_update(same).tags == {"reviewed": "yes"}
    with pytest.raises(HttpResponseError, match="already exists"):
        ml_client.components.create_or_update(component(name, code, environment, command="python main.py --other"))


def test_Component_CreateOrUpdate_RefusesAnUnknownEnvironment(ml_client: MLClient, name: str, code: Path) -> None:
    with pytest.raises(HttpResponseError, match="nowhere"):
        ml_client.components.create_or_update(component(name, code, "azureml:nowhere:1"))


def test_Component_Get_FindsTheDefaultVersion(ml_client: MLClient, name: str, code: Path, environment: str) -> None:
    for version in ("1", "2"):
        ml_client.components.create_or_update(component(name, code, environment, version))
    assert ml_client.components.get(name).version == "2"
    assert ml_client.components.get(name, label="latest").version == "2"


def test_Component_Get_SaysThatThereIsNone(ml_client: MLClient) -> None:
    with pytest.raises(ResourceNotFoundError, match="nothing"):
        ml_client.components.get("nothing", "1")


@pytest.mark.parametrize("by_identity", [False, True])
def test_Data_CreateOrUpdate_UploadsAndDownloads(
    make_workspace: Callable[..., Workspace], workspace: Workspace, name: str, tmp_path: Path, by_identity: bool
) -> None:
    import azure.ai.ml._artifacts._artifact_utilities as artifacts
    from azure.ai.ml.entities import Data

    used = identity_workspace(make_workspace) if by_identity else workspace
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "part 1.csv").write_text("a,b\n1,2\n", "utf-8")
    (folder / "empty.csv").write_text("", "utf-8")
    client = used.client()
    made = client.data.create_or_update(Data(name=name, version="1", type="uri_folder", path=str(folder)))
    assert "/datastores/workspaceblobstore/paths/LocalUpload/" in made.path
    target = tmp_path / "back"
    artifacts.download_artifact_from_aml_uri(made.path, str(target), client.datastores)
    assert (target / "part 1.csv").read_text("utf-8") == "a,b\n1,2\n"


def identity_workspace(make_workspace: Callable[..., Workspace]) -> Workspace:
    made = make_workspace(f"identity-{uuid.uuid4().hex[:6]}", identity=True)
    return made
