"""Codes, components, environments, data and models by the real client: created, found again, kept from changing."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from azure.ai.ml.exceptions import MlException
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import ContainerClient

from amlite.testing import Workspace
from amlite_fixtures.azure import ARM, GROUP_ID, ML_VERSION

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.ai.ml.entities import Component


@pytest.fixture
def name() -> str:
    return f"asset_{uuid.uuid4().hex[:10]}"


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
    from azure.ai.ml import Input, Output
    from azure.ai.ml import command as command_component

    return command_component(
        name=name, version=version, code=str(code), command=command, environment=environment,
        inputs={"rate": Input(type="number", default=0.1)}, outputs={"model": Output(type="uri_folder")},
    ).component  # fmt: skip


def test_environment_create_or_update_keeps_image_and_conda(ml_client: MLClient, name: str) -> None:
    from azure.ai.ml.entities import Environment

    conda = {"name": "e", "dependencies": ["python=3.11", {"pip": ["numpy"]}]}
    ml_client.environments.create_or_update(Environment(name=name, version="1", image="python:3.11", conda_file=conda))
    found = ml_client.environments.get(name, "1")
    assert found.image == "python:3.11"
    assert found.conda_file["dependencies"][1] == {"pip": ["numpy"]}
    assert found.os_type == "Linux"


def test_environment_create_or_update_numbers_versions_itself(ml_client: MLClient, name: str) -> None:
    from azure.ai.ml.entities import Environment

    first = ml_client.environments.create_or_update(Environment(name=name, image="python:3.11"))
    second = ml_client.environments.create_or_update(Environment(name=name, image="python:3.12"))
    assert (first.version, second.version) == ("1", "2")
    assert ml_client.environments.get(name, label="latest").image == "python:3.12"
    assert [entry.version for entry in ml_client.environments.list(name=name)] == ["1", "2"]


def test_environment_create_or_update_refuses_other_content_of_a_version(ml_client: MLClient, name: str) -> None:
    from azure.ai.ml.entities import Environment

    ml_client.environments.create_or_update(Environment(name=name, version="1", image="python:3.11", tags={"a": "1"}))
    again = ml_client.environments.create_or_update(
        Environment(name=name, version="1", image="python:3.11", tags={"a": "2"}, description="same content")
    )
    assert (again.tags["a"], again.description) == ("2", "same content")
    with pytest.raises(ResourceExistsError, match="already registered and cannot be changed"):
        ml_client.environments.create_or_update(Environment(name=name, version="1", image="python:3.12"))


def test_environment_create_or_update_uploads_a_build_context(ml_client: MLClient, name: str, tmp_path: Path) -> None:
    from azure.ai.ml.entities import BuildContext, Environment

    (tmp_path / "Dockerfile").write_text("FROM scratch\n", "utf-8")
    made = ml_client.environments.create_or_update(
        Environment(name=name, version="1", build=BuildContext(path=tmp_path))
    )
    assert ".blob.core.windows.net/azureml-blobstore-" in made.build.path


def test_environment_create_or_update_refuses_neither_image_nor_build(azureml_workspace: Workspace, name: str) -> None:
    answer = azureml_workspace.azure.arm(
        "PUT", f"{azureml_workspace.id}/environments/{name}/versions/1", {"properties": {}}
    )
    assert answer.status_code == 400
    assert "image" in answer.json()["error"]["message"]


def test_environment_archive_hides_it_until_restored(ml_client: MLClient, name: str) -> None:
    from azure.ai.ml.entities import Environment

    for version in ("1", "2"):
        ml_client.environments.create_or_update(Environment(name=name, version=version, image=f"python:3.{version}"))
    ml_client.environments.archive(name=name, version="2")
    assert [entry.version for entry in ml_client.environments.list(name=name)] == ["1"]
    assert ml_client.environments.get(name, "2").image == "python:3.2"
    ml_client.environments.restore(name=name, version="2")
    assert [entry.version for entry in ml_client.environments.list(name=name)] == ["1", "2"]


def test_component_create_or_update_uploads_its_code(
    ml_client: MLClient, name: str, code: Path, environment: str
) -> None:
    made = ml_client.components.create_or_update(component(name, code, environment))
    assert (made.name, made.version) == (name, "1")
    found = ml_client.components.get(name, "1")
    assert found.command == "python main.py"
    assert found.inputs["rate"].default == 0.1
    assert "/codes/" in found.code


def test_component_create_or_update_does_not_upload_the_same_code_twice(
    azureml_workspace: Workspace, ml_client: MLClient, name: str, code: Path, environment: str
) -> None:
    first = ml_client.components.create_or_update(component(name, code, environment))
    uploads = len(azureml_workspace.azure.requests("startPendingUpload"))
    second = ml_client.components.create_or_update(component(f"{name}_b", code, environment))
    assert first.code == second.code
    assert len(azureml_workspace.azure.requests("startPendingUpload")) == uploads


@pytest.mark.attack
def test_an_upload_to_a_version_that_exists_only_reads(azureml_workspace: Workspace, name: str) -> None:
    path, azure = f"{azureml_workspace.id}/models/{name}/versions/1", azureml_workspace.azure

    def container() -> ContainerClient:
        made = azure.arm("POST", f"{path}/startPendingUpload", {"pendingUploadType": "TemporaryBlobReference"})
        return ContainerClient.from_container_url(
            made.json()["blobReferenceForConsumption"]["credential"]["sasUri"], retry_total=0
        )

    with container() as place:
        place.upload_blob("model.pkl", b"first")
        model = {"modelUri": place.get_blob_client("model.pkl").url.partition("?")[0], "modelType": "custom_model"}
    azure.put(path, {"properties": model})
    with container() as place:
        assert place.download_blob("model.pkl").readall() == b"first"
        with pytest.raises(HttpResponseError, match="AuthenticationFailed"):
            place.upload_blob("model.pkl", b"other", overwrite=True)


def test_component_create_or_update_refuses_other_content_of_a_version(
    ml_client: MLClient, name: str, code: Path, environment: str
) -> None:
    ml_client.components.create_or_update(component(name, code, environment))
    same = component(name, code, environment)
    same.tags = {"reviewed": "yes"}
    assert ml_client.components.create_or_update(same).tags == {"reviewed": "yes"}
    with pytest.raises(ResourceExistsError, match="componentSpec"):
        ml_client.components.create_or_update(component(name, code, environment, command="python main.py --other"))


def test_component_create_or_update_refuses_an_unknown_environment(ml_client: MLClient, name: str, code: Path) -> None:
    with pytest.raises(HttpResponseError, match="nowhere"):
        ml_client.components.create_or_update(component(name, code, "azureml:nowhere:1"))


def test_component_get_finds_the_default_version(ml_client: MLClient, name: str, code: Path, environment: str) -> None:
    for version in ("1", "2"):
        ml_client.components.create_or_update(component(name, code, environment, version))
    assert ml_client.components.get(name).version == "2"
    assert ml_client.components.get(name, label="latest").version == "2"


def test_component_get_says_that_there_is_none(ml_client: MLClient) -> None:
    with pytest.raises(ResourceNotFoundError, match="nothing"):
        ml_client.components.get("nothing", "1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir()
    (made / "part 1.csv").write_text("a,b\n1,2\n", "utf-8")
    (made / "empty.csv").write_text("", "utf-8")
    return made


def download(client: MLClient, uri: str, target: Path) -> None:
    from azure.ai.ml._artifacts._artifact_utilities import download_artifact_from_aml_uri

    download_artifact_from_aml_uri(uri, str(target), client.datastores)


def test_data_create_or_update_uploads_with_a_key(ml_client: MLClient, name: str, folder: Path, tmp_path: Path) -> None:
    from azure.ai.ml.entities import Data

    made = ml_client.data.create_or_update(Data(name=name, version="1", type="uri_folder", path=str(folder)))
    assert "/datastores/workspaceblobstore/paths/LocalUpload/" in made.path
    download(ml_client, made.path, tmp_path / "back")
    assert (tmp_path / "back" / "part 1.csv").read_text("utf-8") == "a,b\n1,2\n"


def test_data_create_or_update_uploads_by_identity(
    identity_workspace: Workspace, name: str, folder: Path, tmp_path: Path
) -> None:
    from azure.ai.ml.entities import Data

    azure = identity_workspace.azure
    scientist = ("AzureML Data Scientist", identity_workspace.id)
    client = identity_workspace.client(azure.application(scientist))
    data = Data(name=name, version="1", type="uri_folder", path=str(folder))
    with pytest.raises(MlException, match="Storage Blob Data Contributor"):
        client.data.create_or_update(data)
    account = f"{GROUP_ID}/providers/Microsoft.Storage/storageAccounts/{identity_workspace.account}"
    allowed = identity_workspace.client(azure.application(scientist, ("Storage Blob Data Contributor", account)))
    made = allowed.data.create_or_update(data)
    download(allowed, made.path, tmp_path / "back")
    assert (tmp_path / "back" / "part 1.csv").read_text("utf-8") == "a,b\n1,2\n"


def test_component_create_or_update_uploads_code_where_keys_are_refused(
    identity_workspace: Workspace, name: str, code: Path
) -> None:
    from azure.ai.ml.entities import Environment

    client = identity_workspace.client()
    client.environments.create_or_update(Environment(name="base", version="1", image="python:3.11"))
    made = client.components.create_or_update(component(name, code, "azureml:base:1"))
    assert client._code.get(*parts(made.code)).path.startswith(f"https://{identity_workspace.account}.blob.")


def parts(asset_id: str) -> tuple[str, str]:
    """Return (name, version) of an asset id."""
    pieces = asset_id.split("/")
    return pieces[-3], pieces[-1]


def test_data_create_or_update_refuses_another_path_for_a_version(ml_client: MLClient, name: str) -> None:
    from azure.ai.ml.entities import Data

    path = "azureml://datastores/workspaceblobstore/paths/somewhere/"
    made = ml_client.data.create_or_update(Data(name=name, version="1", type="uri_folder", path=path))
    assert made.path.startswith("azureml://subscriptions/")
    ml_client.data.create_or_update(Data(name=name, version="1", type="uri_folder", path=path, tags={"a": "b"}))
    other = Data(name=name, version="1", type="uri_folder", path=f"{path}else/")
    with pytest.raises(HttpResponseError, match="data uri cannot be changed") as refused:
        ml_client.data.create_or_update(other)
    assert refused.value.status_code == 400
    with pytest.raises(HttpResponseError, match="another name"):
        ml_client.data.create_or_update(Data(name=name, version="2", type="uri_file", path=f"{path}file"))


def test_model_create_or_update_uploads_and_numbers_versions(
    ml_client: MLClient, name: str, folder: Path, tmp_path: Path
) -> None:
    from azure.ai.ml.entities import Model

    first = ml_client.models.create_or_update(Model(name=name, path=str(folder), type="custom_model", tags={"k": "v"}))
    (folder / "empty.csv").write_text("no more", "utf-8")
    second = ml_client.models.create_or_update(Model(name=name, path=str(folder), type="custom_model"))
    assert (first.version, second.version) == ("1", "2")
    assert ml_client.models.get(name, label="latest").version == "2"
    ml_client.models.download(name, "2", download_path=tmp_path)
    assert (tmp_path / name / "data" / "empty.csv").read_text("utf-8") == "no more"
    ml_client.models.archive(name, "2")
    assert ml_client.models.get(name, label="latest").version == "1"


def test_model_list_pages_through_many(azureml_workspace: Workspace, ml_client: MLClient, name: str) -> None:
    uri = "azureml://datastores/workspaceblobstore/paths/model"

    def put(number: int) -> int:
        path = f"{azureml_workspace.id}/models/{name}/versions/{number}"
        return azureml_workspace.azure.arm("PUT", path, {"properties": {"modelUri": uri}}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(put, range(105))) == {201}
    assert len(list(ml_client.models.list(name))) == 105


def test_asset_put_names_every_wrong_property(azureml_workspace: Workspace, name: str) -> None:
    body = {"properties": {"osType": "Amiga", "image": ["a"], "tags": "none"}}
    answer = azureml_workspace.azure.arm("PUT", f"{azureml_workspace.id}/environments/{name}/versions/1", body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "ValidationError"
    assert {detail["target"] for detail in error["details"]} == {
        "properties.osType",
        "properties.image",
        "properties.tags",
    }


@pytest.mark.attack
@pytest.mark.parametrize("kind", ["codes", "components", "data", "environments", "models"])
@pytest.mark.parametrize("properties", [[1], 1, "text", True, None], ids=str)
def test_asset_put_refuses_properties_that_are_no_object(
    azureml_workspace: Workspace, name: str, kind: str, properties: object
) -> None:
    path = f"{azureml_workspace.id}/{kind}/{name}/versions/1"
    answer = azureml_workspace.azure.arm("PUT", path, {"properties": properties}, ML_VERSION)
    assert answer.status_code == 400, answer.text


def test_asset_put_and_delete_hold_to_the_conditions_of_a_request(azureml_workspace: Workspace, name: str) -> None:
    def ask(method: str, tags: dict[str, str] | None = None, **conditions: str) -> requests.Response:
        body = {"properties": {"image": "python:3.11", "tags": tags}} if tags is not None else None
        headers = {key.replace("_", "-"): value for key, value in conditions.items()}
        headers["Authorization"] = f"Bearer {azureml_workspace.azure.credential.get_token(f'{ARM}/.default').token}"
        url = f"{ARM}{azureml_workspace.id}/environments/{name}/versions/1?api-version={ML_VERSION}"
        return azureml_workspace.azure.session.request(method, url, json=body, headers=headers)

    assert ask("PUT", {}, If_Match='"none"').status_code == 412
    first = ask("PUT", {}, If_None_Match="*").headers["ETag"]
    refused = ask("PUT", {}, If_None_Match="*")
    assert (refused.status_code, refused.json()["error"]["code"]) == (412, "PreconditionFailed")
    second = ask("PUT", {"a": "1"}, If_Match=first).headers["ETag"]
    assert second != first
    refused = ask("PUT", {"a": "2"}, If_Match=first)
    assert (refused.status_code, refused.json()["error"]["code"]) == (412, "PreconditionFailed")
    assert ask("GET").json()["properties"]["tags"] == {"a": "1"}
    assert ask("DELETE", If_Match=first).status_code == 412
    assert ask("PUT", {}, If_Match="*").status_code == 200
    assert ask("DELETE", If_Match=ask("GET").headers["ETag"]).status_code == 200


def test_asset_get_says_which_workspace_is_missing(azureml_workspace: Workspace) -> None:
    answer = azureml_workspace.azure.arm("GET", f"{azureml_workspace.id}-not/models/m/versions/1")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "ResourceNotFound"


def test_asset_put_is_refused_to_a_reader(azureml_workspace: Workspace, name: str) -> None:
    from azure.ai.ml.entities import Environment

    client = azureml_workspace.client(azureml_workspace.azure.application(("Reader", azureml_workspace.id)))
    assert client.workspaces.get(azureml_workspace.name).name == azureml_workspace.name
    with pytest.raises(HttpResponseError, match="environments/versions/write") as refused:
        client.environments.create_or_update(Environment(name=name, version="1", image="python:3.11"))
    assert refused.value.status_code == 403
