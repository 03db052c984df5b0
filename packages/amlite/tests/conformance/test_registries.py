"""Registries by the real client: made, filled, shared to, kept from changing, and used by jobs and deployments."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import jwt
import pytest
from azure.ai.ml.exceptions import ValidationException
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from amlite.testing import LocalAzure, Workspace
from amlite_fixtures.azure import GROUP_ID, REGISTRY, REGISTRY_ID, registry_client
from amlite_fixtures.jobs import CLUSTER, equip, history, until
from amlite_fixtures.scoring import CONDA, SCORE, new_endpoint

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.ai.ml.entities import CommandComponent

VERSION = "2023-10-01"
IMAGE = "mcr.microsoft.com/azureml/base"
PLAIN: dict[str, Any] = {"name": "plain", "dependencies": ["python=3.11"]}
COPY = "import pathlib, sys\npathlib.Path(sys.argv[2]).write_text(open(sys.argv[1]).read())\n"


@pytest.fixture(scope="module")
def environment(registry: MLClient) -> str:
    """Return an environment of the registry in which jobs run as processes."""
    from azure.ai.ml.entities import Environment

    made = registry.environments.create_or_update(Environment(name="plain", version="1", image=IMAGE, conda_file=PLAIN))
    return f"azureml://registries/{REGISTRY}/environments/{made.name}/versions/{made.version}"


@pytest.fixture
def name() -> str:
    return f"asset_{uuid.uuid4().hex[:10]}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "weights"
    (made / "deep").mkdir(parents=True)
    (made / "factor.json").write_text("7", "utf-8")
    (made / "deep" / "er.txt").write_text("x", "utf-8")
    return made


def component(
    folder: Path, name: str, environment: str, line: str = "python main.py", **parts: Any
) -> CommandComponent:
    from azure.ai.ml.entities import CommandComponent

    code = folder / name
    code.mkdir(exist_ok=True)
    (code / "main.py").write_text(COPY, "utf-8")
    return CommandComponent(name=name, version="1", code=str(code), command=line, environment=environment, **parts)


def test_a_registry_has_accounts_of_its_own_in_a_managed_group(registry: MLClient, ml_client: MLClient) -> None:
    found = ml_client.registries.get(REGISTRY)
    assert found.tags == {"team": "platform"}
    assert found.discovery_url.endswith(f"/registrymanagement/v1.0/registries/{REGISTRY}/discovery")
    group = found.managed_resource_group.resource_id.rpartition("/")[2]
    assert group.startswith(f"azureml-rg-{REGISTRY}_")
    (region,) = found.replication_locations
    assert f"/resourceGroups/{group}/providers/Microsoft.Storage/" in region.storage_config.arm_resource_id
    assert f"/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/" in region.acr_config[0].arm_resource_id
    assert REGISTRY in [each.name for each in ml_client.registries.list()]
    assert REGISTRY in [each.name for each in ml_client.registries.list(scope="subscription")]


def test_a_registry_grows_by_a_region_and_goes_with_its_group(amlite: LocalAzure, ml_client: MLClient) -> None:
    path = f"{GROUP_ID}/providers/Microsoft.MachineLearningServices/registries/two-regions"

    def body(*places: str) -> dict[str, Any]:
        return {"location": "westeurope", "properties": {"regionDetails": [{"location": place} for place in places]}}

    (first,) = amlite.put(path, body("westeurope"), VERSION)["properties"]["regionDetails"]
    both = amlite.put(path, body("westeurope", "northeurope"), VERSION)["properties"]["regionDetails"]
    assert both[0] == first
    assert both[1]["acrDetails"] == first["acrDetails"]
    account = both[1]["storageAccountDetails"][0]["systemCreatedStorageAccount"]["armResourceId"]["resourceId"]
    assert amlite.arm("GET", account, version="2024-01-01").json()["location"] == "northeurope"
    assert "cannot be removed" in amlite.arm("PUT", path, body("westeurope"), VERSION).text
    assert "own location" in amlite.arm("PUT", f"{path}-b", body("northeurope"), VERSION).text
    group = amlite.arm("GET", path, version=VERSION).json()["properties"]["managedResourceGroup"]["resourceId"]
    ml_client.registries.begin_delete(name="two-regions").result()
    assert amlite.arm("GET", group, version="2021-04-01").status_code == 404
    assert amlite.arm("GET", account, version="2024-01-01").status_code == 404


def test_environment_cannot_be_changed_in_a_registry_but_archived(registry: MLClient, name: str) -> None:
    """User pain 7: tags of a registry's environment cannot be changed."""
    from azure.ai.ml.entities import Environment

    def put(**parts: Any) -> Any:
        return registry.environments.create_or_update(Environment(name=name, version="1", **{"image": IMAGE, **parts}))

    made = put(tags={"a": "1"})
    assert made.id == f"azureml://registries/{REGISTRY}/environments/{name}/versions/1"
    assert put(tags={"a": "1"}).tags == {"a": "1"}
    for changed in ({"tags": {"a": "2"}}, {"image": "python:3.12", "tags": {"a": "1"}}):
        with pytest.raises(HttpResponseError, match="cannot be changed") as refused:
            put(**changed)
        assert refused.value.status_code == 409
    registry.environments.archive(name=name, version="1")
    assert list(registry.environments.list(name=name)) == []
    registry.environments.restore(name=name, version="1")
    assert registry.environments.get(name, label="latest").image == IMAGE


def test_environment_of_a_registry_uploads_its_build_context(registry: MLClient, name: str, tmp_path: Path) -> None:
    from azure.ai.ml.entities import BuildContext, Environment

    (tmp_path / "Dockerfile").write_text("FROM scratch\n", "utf-8")
    made = registry.environments.create_or_update(
        Environment(name=name, version="1", build=BuildContext(path=tmp_path))
    )
    assert made.build.path.startswith("https://sharedasset")


def test_model_of_a_registry_is_uploaded_listed_and_downloaded(
    registry: MLClient, name: str, folder: Path, tmp_path: Path
) -> None:
    from azure.ai.ml.entities import Model

    for version in ("1", "2"):
        registry.models.create_or_update(Model(name=name, version=version, path=str(folder), type="custom_model"))
    assert registry.models.get(name, label="latest").version == "2"
    assert [each.version for each in registry.models.list(name)] == ["1", "2"]
    assert name in [each.name for each in registry.models.list()]
    registry.models.download(name, "2", download_path=str(tmp_path / "back"))
    assert (tmp_path / "back" / name / "weights" / "deep" / "er.txt").read_text("utf-8") == "x"
    registry.models.archive(name, "2")
    assert registry.models.get(name, label="latest").version == "1"
    changed = registry.models.get(name, "1")
    changed.tags = {"stage": "production"}
    assert registry.models.create_or_update(changed).tags == {"stage": "production"}
    other = registry.models.get(name, "2")
    other.version = "1"
    with pytest.raises(HttpResponseError, match="model uri cannot be changed"):
        registry.models.create_or_update(other)


def test_model_of_a_registry_must_lie_in_its_account(
    registry: MLClient, amlite: LocalAzure, azureml_workspace: Workspace, name: str
) -> None:
    from azure.ai.ml.entities import Model

    elsewhere = f"https://{azureml_workspace.account}.blob.core.windows.net/azureml/model"
    with pytest.raises(HttpResponseError, match="not in the storage of registry"):
        registry.models.create_or_update(Model(name=name, version="1", path=elsewhere, type="custom_model"))
    with pytest.raises(ResourceNotFoundError):
        registry.models.get(name, "1")


def test_component_of_a_registry_refers_to_assets_of_a_registry_only(
    registry: MLClient, environment: str, name: str, tmp_path: Path
) -> None:
    made = registry.components.create_or_update(component(tmp_path, name, environment))
    assert made.id == f"azureml://registries/{REGISTRY}/components/{name}/versions/1"
    assert made.code.startswith(f"azureml://registries/{REGISTRY}/codes/")
    with pytest.raises(HttpResponseError, match="cannot be changed"):
        # The client uploads the code again under another name: unlike in a workspace, it asks for no hash.
        registry.components.create_or_update(component(tmp_path, name, environment))
    assert registry.components.get(name).version == "1"
    absent = environment.replace("versions/1", "versions/99")
    with pytest.raises(HttpResponseError, match="plain:99' was not found in registry"):
        registry.components.create_or_update(component(tmp_path, f"{name}_b", absent))


def test_component_of_a_workspace_is_refused_by_a_registry(
    registry: MLClient, ml_client: MLClient, environment: str, name: str, tmp_path: Path
) -> None:
    ml_client.components.create_or_update(component(tmp_path, name, environment))
    with pytest.raises(HttpResponseError, match="create it from its files"):
        registry.components.create_or_update(ml_client.components.get(name, "1"))


def test_share_copies_a_model_with_its_bytes_and_never_over_another(
    registry: MLClient, ml_client: MLClient, name: str, folder: Path, tmp_path: Path
) -> None:
    """User pain 16: a model moves between workspaces as the same bytes."""
    from azure.ai.ml.entities import Model

    ml_client.models.create_or_update(
        Model(name=name, version="3", path=str(folder), type="custom_model", tags={"auc": "0.7"}, properties={"p": "q"})
    )
    share: dict[str, str] = {"share_with_name": name, "share_with_version": "3", "registry_name": REGISTRY}
    shared = ml_client.models.share(name, "3", **share)
    assert (shared.id, shared.tags, shared.properties["p"]) == (
        f"azureml://registries/{REGISTRY}/models/{name}/versions/3",
        {"auc": "0.7"},
        "q",
    )
    registry.models.download(name, "3", download_path=str(tmp_path / "back"))
    back = tmp_path / "back" / name / "weights"
    assert {path.relative_to(back).as_posix() for path in back.rglob("*") if path.is_file()} == {
        "factor.json",
        "deep/er.txt",
    }
    with pytest.raises(ValidationException, match="already exists in registry"):
        ml_client.models.share(name, "3", **share)


def test_share_copies_environments_and_data(
    registry: MLClient, ml_client: MLClient, name: str, folder: Path, tmp_path: Path
) -> None:
    from azure.ai.ml.entities import BuildContext, Data, Environment

    (tmp_path / "Dockerfile").write_text("FROM scratch\n", "utf-8")
    share: dict[str, str] = {"share_with_name": name, "share_with_version": "1", "registry_name": REGISTRY}
    ml_client.environments.create_or_update(Environment(name=name, version="1", build=BuildContext(path=tmp_path)))
    assert ml_client.environments.share(name, "1", **share).build.path.startswith("https://sharedasset")
    ml_client.data.create_or_update(Data(name=name, version="1", type="uri_file", path=str(folder / "factor.json")))
    assert ml_client.data.share(name, "1", **share).path.endswith("/factor.json")
    assert registry.data.get(name, "1").type == "uri_file"


def test_a_deleted_version_is_never_given_out_again(
    registry: MLClient, amlite: LocalAzure, name: str, folder: Path
) -> None:
    """User pain 4: the name and version of something deleted cannot be created again."""
    from azure.ai.ml.entities import Environment

    registry.environments.create_or_update(Environment(name=name, version="1", image=IMAGE))
    token = amlite.credential.get_token("https://management.azure.com/.default").token
    address = f"https://westeurope.api.azureml.ms/mferp/managementfrontend{REGISTRY_ID}/environments/{name}/versions/1"
    asked: dict[str, Any] = {
        "params": {"api-version": "2021-10-01-dataplanepreview"},
        "headers": {"Authorization": f"Bearer {token}"},
    }
    assert amlite.session.delete(address, **asked).status_code == 200
    assert amlite.session.delete(address, **asked).status_code == 204
    with pytest.raises(HttpResponseError, match="was deleted"):
        registry.environments.create_or_update(Environment(name=name, version="1", image=IMAGE))
    assert registry.environments.create_or_update(Environment(name=name, image=IMAGE)).version == "2"


def test_roles_on_the_registry_decide(registry: MLClient, amlite: LocalAzure, environment: str, name: str) -> None:
    from azure.ai.ml.entities import Environment

    with pytest.raises(HttpResponseError, match="registries/read") as unseen:
        registry_client(credential=amlite.application())
    assert unseen.value.status_code == 403
    reader = registry_client(credential=amlite.application(("Reader", REGISTRY_ID)))
    assert reader.environments.get("plain", "1").image == IMAGE
    with pytest.raises(HttpResponseError, match="registries/assets/write"):
        reader.environments.create_or_update(Environment(name=name, version="1", image=IMAGE))
    user = registry_client(credential=amlite.application(("AzureML Registry User", REGISTRY_ID)))
    assert user.environments.create_or_update(Environment(name=name, version="1", image=IMAGE)).version == "1"


@pytest.mark.attack
@pytest.mark.parametrize(("kind", "key"), [("codes", "codeUri"), ("models", "modelUri")])
def test_nobody_changes_the_files_of_a_registered_version(
    registry: MLClient, amlite: LocalAzure, kind: str, key: str, name: str
) -> None:
    """The address to upload to is valid for hours, and a user of the registry gets one for each version of code."""
    base = f"https://westeurope.api.azureml.ms/mferp/managementfrontend{REGISTRY_ID}"
    user = amlite.application(("AzureML Registry User", REGISTRY_ID))
    headers = {"Authorization": f"Bearer {user.get_token('https://ml.azure.com/.default').token}"}

    def upload(version: str) -> Any:
        asset = {"assetId": f"azureml://registries/{REGISTRY}/{kind}/{name}/versions/{version}"}
        return amlite.session.put(f"{base}/tempdatarefs/{name}/versions/{version}", json=asset, headers=headers)

    def register(version: str, uri: str) -> int:
        body = {"properties": {key: uri}}
        return amlite.session.put(f"{base}/{kind}/{name}/versions/{version}", json=body, headers=headers).status_code

    def send(address: str, text: str, file: str = "main.py") -> int:
        place, _, signature = address.partition("?")
        write = {"x-ms-blob-type": "BlockBlob"}
        return amlite.session.put(f"{place}/{file}?{signature}", data=text, headers=write).status_code

    given = upload("1").json()["blobReferenceForConsumption"]
    address = given["credential"]["sasUri"]
    assert send(address, "good") == 201
    assert register("1", given["blobUri"]) == 201
    again = upload("1")
    addresses = (
        [address, again.json()["blobReferenceForConsumption"]["credential"]["sasUri"]] if again.ok else [address]
    )
    assert len(addresses) == (2 if kind == "codes" else 1)
    for each in addresses:
        assert (send(each, "evil"), send(each, "evil", "more.py")) == (403, 403)
    place, _, signature = address.partition("?")
    assert amlite.session.get(f"{place}/main.py?{signature}").text == "good"
    # Nor is it registered with files that another upload can change.
    other = upload("2").json()["blobReferenceForConsumption"]
    assert send(other["credential"]["sasUri"], "changes") == 201
    assert register("3", other["blobUri"]) == 400


@pytest.mark.attack
def test_nobody_changes_the_files_that_another_one_is_uploading(
    registry: MLClient, amlite: LocalAzure, name: str
) -> None:
    base = f"https://westeurope.api.azureml.ms/mferp/managementfrontend{REGISTRY_ID}"
    asset = {"assetId": f"azureml://registries/{REGISTRY}/models/{name}/versions/1"}

    def upload(text: str) -> tuple[str, str, dict[str, str]]:
        user = amlite.application(("AzureML Registry User", REGISTRY_ID))
        headers = {"Authorization": f"Bearer {user.get_token('https://ml.azure.com/.default').token}"}
        asked = amlite.session.put(f"{base}/tempdatarefs/{name}/versions/1", json=asset, headers=headers)
        given = asked.json()["blobReferenceForConsumption"]
        place, _, signature = given["credential"]["sasUri"].partition("?")
        address = f"{place}/model.json?{signature}"
        sent = amlite.session.put(address, data=text, headers={"x-ms-blob-type": "BlockBlob"})
        assert sent.status_code == 201
        return given["blobUri"], address, headers

    uri, address, headers = upload("good")
    upload("evil")
    body = {"properties": {"modelUri": uri}}
    assert amlite.session.put(f"{base}/models/{name}/versions/1", json=body, headers=headers).status_code == 201
    assert amlite.session.get(address).text == "good"


@pytest.mark.attack
def test_two_imports_of_the_same_version_do_not_mix_their_files(
    registry: MLClient, ml_client: MLClient, amlite: LocalAzure, azureml_workspace: Workspace, name: str, tmp_path: Path
) -> None:
    from azure.ai.ml.entities import Model

    guid = amlite.arm("GET", azureml_workspace.id).json()["properties"]["workspaceId"]
    texts = ("good", "evil")
    for text in texts:
        weights = tmp_path / text / "weights"
        weights.mkdir(parents=True)
        for number in range(20):
            (weights / f"{number}.txt").write_text(text, "utf-8")
        ml_client.models.create_or_update(
            Model(name=f"{text}-{name}", version="1", path=str(weights), type="custom_model")
        )
    token = amlite.credential.get_token("https://ml.azure.com/.default").token
    begun = [
        amlite.session.post(
            f"https://westeurope.api.azureml.ms/mferp/managementfrontend{REGISTRY_ID}/import",
            json={
                "properties": {
                    "sourceAssetId": f"azureml://locations/westeurope/workspaces/{guid}/models/{text}-{name}/versions/1",
                    "destinationName": name,
                    "destinationVersion": "1",
                }
            },
            headers={"Authorization": f"Bearer {token}"},
        )
        for text in texts
    ]
    states = [amlite.finish(each)["status"] for each in begun]
    assert sorted(states) == ["Failed", "Succeeded"]
    registry.models.download(name, "1", download_path=str(tmp_path / "back"))
    found = {file.read_text("utf-8") for file in (tmp_path / "back").rglob("*.txt")}
    assert found == {texts[states.index("Succeeded")]}


@pytest.mark.attack
def test_who_loses_the_role_keeps_an_address_until_its_end_and_gets_no_other_one(
    registry: MLClient, amlite: LocalAzure, name: str
) -> None:
    """The registry signs it, not the caller, whose roles therefore count when it is given only."""
    base = f"https://westeurope.api.azureml.ms/mferp/managementfrontend{REGISTRY_ID}"
    user = amlite.application(("AzureML Registry User", REGISTRY_ID))
    token = user.get_token("https://ml.azure.com/.default").token
    asset = {"assetId": f"azureml://registries/{REGISTRY}/models/{name}/versions/1"}

    def ask(method: str, path: str, body: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        return amlite.session.request(method, f"{base}/{path}", json=body, headers=headers)

    def send(text: str) -> int:
        write = {"x-ms-blob-type": "BlockBlob"}
        return amlite.session.put(f"{place}/model.json?{signature}", data=text, headers=write).status_code

    given = ask("PUT", f"tempdatarefs/{name}/versions/1", asset).json()["blobReferenceForConsumption"]
    place, _, signature = given["credential"]["sasUri"].partition("?")
    holder = jwt.decode(token, options={"verify_signature": False})["oid"]
    roles = f"{REGISTRY_ID}/providers/Microsoft.Authorization/roleAssignments"
    found = amlite.arm("GET", roles, version="2022-04-01", query=f"&$filter=principalId eq '{holder}'").json()["value"]
    for each in found:
        assert amlite.arm("DELETE", each["id"], version="2022-04-01").status_code == 200
    assert len(found) == 1
    assert send("mine") == 201
    assert amlite.session.get(f"{place}/model.json?{signature}").text == "mine"
    assert parse_qs(signature)["se"][0] <= f"{amlite.now() + dt.timedelta(hours=12):%Y-%m-%dT%H:%M:%SZ}"
    assert ask("PUT", f"tempdatarefs/{name}/versions/1", asset).status_code == 403
    assert ask("PUT", f"models/{name}/versions/1", {"properties": {"modelUri": given["blobUri"]}}).status_code == 403
    # What others register is theirs from then on.
    body = {"properties": {"modelUri": given["blobUri"]}}
    owner = {"Authorization": f"Bearer {amlite.credential.get_token('https://ml.azure.com/.default').token}"}
    assert amlite.session.put(f"{base}/models/{name}/versions/1", json=body, headers=owner).status_code == 201
    assert send("evil") == 403


def test_share_asks_for_a_role_on_the_workspace_too(
    registry: MLClient, ml_client: MLClient, amlite: LocalAzure, azureml_workspace: Workspace, name: str
) -> None:
    from azure.ai.ml.entities import Environment

    ml_client.environments.create_or_update(Environment(name=name, version="1", image=IMAGE))
    guid = amlite.arm("GET", azureml_workspace.id).json()
    source = (
        f"azureml://locations/westeurope/workspaces/{guid['properties']['workspaceId']}/environments/{name}/versions/1"
    )
    credential = amlite.application(("AzureML Registry User", REGISTRY_ID))
    token = credential.get_token("https://management.azure.com/.default").token
    answer = amlite.session.post(
        f"https://westeurope.api.azureml.ms/mferp/managementfrontend{REGISTRY_ID}/import",
        json={"properties": {"sourceAssetId": source, "destinationName": name, "destinationVersion": "1"}},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert (answer.status_code, "workspaces/environments/versions/read" in answer.text) == (403, True)


@pytest.fixture(scope="module")
def cluster(amlite: LocalAzure) -> tuple[Workspace, str]:
    """Return a workspace whose cluster has an identity, and that identity's object id."""
    path = f"{GROUP_ID}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/registry-cluster"
    made = amlite.put(path, {"location": "westeurope"}, "2023-01-31")
    return equip(Workspace.create(amlite, "registry-user"), path), str(made["properties"]["principalId"])


def test_a_job_runs_with_assets_of_a_registry_where_its_identity_may(
    registry: MLClient, cluster: tuple[Workspace, str], environment: str, tmp_path: Path
) -> None:
    from azure.ai.ml import Input, Output, dsl
    from azure.ai.ml.entities import Data

    workspace, principal = cluster
    (tmp_path / "words.txt").write_text("from the registry", "utf-8")
    registry.data.create_or_update(Data(name="words", version="1", type="uri_file", path=str(tmp_path / "words.txt")))
    registry.components.create_or_update(
        component(
            tmp_path, "copy_words", environment, "python main.py ${{inputs.source}} ${{outputs.target}}",
            inputs={"source": Input(type="uri_file")}, outputs={"target": Output(type="uri_file")},
        )
    )  # fmt: skip
    client = workspace.client()
    copy: Any = registry.components.get("copy_words", label="latest")

    def submit() -> Any:
        @dsl.pipeline(default_compute=CLUSTER)  # type: ignore[call-overload]
        def pipeline():  # type: ignore[no-untyped-def] # noqa: ANN202 - the decorator reads annotations
            path = f"azureml://registries/{REGISTRY}/data/words/versions/1"
            done = copy(source=Input(type="uri_file", path=path))
            return {"target": done.outputs.target}

        return until(client, client.jobs.create_or_update(pipeline(), experiment_name="registry").name)

    refused = submit()
    assert refused.status == "Failed"
    (child,) = client.jobs.list(parent_job_name=refused.name)
    assert "AzureML Registry User" in str(history(client, child.name).error)
    workspace.azure.assign("AzureML Registry User", REGISTRY_ID, principal)
    job = submit()
    assert job.status == "Completed", history(client, job.name)
    client.jobs.download(job.name, download_path=str(tmp_path / "out"), output_name="target")
    (written,) = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert written.read_text("utf-8") == "from the registry"


def test_a_command_takes_the_latest_environment_and_a_model_of_a_registry(
    registry: MLClient,
    ml_client: MLClient,
    azureml_workspace: Workspace,
    environment: str,
    folder: Path,
    tmp_path: Path,
) -> None:
    from azure.ai.ml import Input, Output, command
    from azure.ai.ml.entities import Model

    registry.models.create_or_update(Model(name="given", version="1", path=str(folder), type="custom_model"))
    job = ml_client.jobs.create_or_update(
        command(
            command="cp ${{inputs.model}}/factor.json ${{outputs.out}}/n",
            environment=environment.replace("versions/1", "labels/latest"),
            inputs={
                "model": Input(type="custom_model", path=f"azureml://registries/{REGISTRY}/models/given/versions/1")
            },
            outputs={"out": Output(type="uri_folder")},
            experiment_name="registry",
        )
    )
    ended = until(ml_client, str(job.name))
    assert ended.status == "Completed", history(ml_client, str(job.name))


def test_a_deployment_serves_a_model_of_a_registry(
    registry: MLClient, ml_client: MLClient, azureml_workspace: Workspace, folder: Path, tmp_path: Path
) -> None:
    from azure.ai.ml.entities import CodeConfiguration, Environment, ManagedOnlineDeployment, Model

    registry.environments.create_or_update(
        Environment(name="scoring", version="1", image=IMAGE, conda_file={"name": "scoring", **CONDA})
    )
    registry.models.create_or_update(Model(name="factor", version="1", path=str(folder), type="custom_model"))
    scoring = new_endpoint(ml_client)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "score.py").write_text(SCORE, "utf-8")
    deployment = ManagedOnlineDeployment(
        name="blue",
        endpoint_name=scoring.name,
        model=f"azureml://registries/{REGISTRY}/models/factor/versions/1",
        environment=f"azureml://registries/{REGISTRY}/environments/scoring/versions/1",
        code_configuration=CodeConfiguration(code=str(tmp_path / "code"), scoring_script="score.py"),
        instance_type="Standard_DS3_v2",
        instance_count=1,
    )
    with pytest.raises(HttpResponseError, match="AzureML Registry User"):
        ml_client.online_deployments.begin_create_or_update(deployment).result()
    identity = ml_client.online_endpoints.get(scoring.name).identity.principal_id
    azureml_workspace.azure.assign("AzureML Registry User", REGISTRY_ID, identity)
    ml_client.online_deployments.begin_create_or_update(deployment).result()
    scoring.set_traffic(blue=100)
    assert json.loads(scoring.post({"value": 6}).text) == 42
    ml_client.online_endpoints.begin_delete(scoring.name).result()
