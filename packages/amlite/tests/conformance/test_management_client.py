"""Microsoft's generated management client against amlite, and the operations of its list that amlite refuses."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import ResourceNotFoundError

from amlite import SUBSCRIPTION_ID
from amlite.testing import LocalAzure, Workspace
from amlite_fixtures.azure import GROUP, REGISTRY
from operation_coverage import answers
from operation_coverage.operations import machine_learning, others

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.mgmt.machinelearningservices import MachineLearningServicesMgmtClient

KINDS = {
    "code": {"codeUri": "https://account.blob.core.windows.net/container/code"},
    "component": {"componentSpec": {"type": "command", "command": "true"}},
    "data": {"dataType": "uri_folder", "dataUri": "azureml://datastores/workspaceblobstore/paths/data/"},
    "environment": {"image": "python:3.11"},
    "model": {"modelUri": "azureml://datastores/workspaceblobstore/paths/model/"},
}
# What answers an operation that is not there.
REFUSALS = ("InvalidResourceType", "InvalidResourcePath", "MethodNotAllowed", "NotFound")


@pytest.fixture(scope="module")
def client(amlite: LocalAzure) -> Iterator[MachineLearningServicesMgmtClient]:
    from azure.identity import DefaultAzureCredential
    from azure.mgmt.machinelearningservices import MachineLearningServicesMgmtClient

    with MachineLearningServicesMgmtClient(DefaultAzureCredential(), SUBSCRIPTION_ID) as made:
        yield made


@pytest.fixture
def name() -> str:
    return f"n{uuid.uuid4().hex[:10]}"


def names(found: Any) -> list[str]:
    return [each.name for each in found]


@pytest.mark.parametrize("kind", KINDS)
def test_containers_and_versions_of_a_workspace(
    client: MachineLearningServicesMgmtClient, azureml_workspace: Workspace, kind: str, name: str
) -> None:
    place = (GROUP, azureml_workspace.name)
    containers, versions = getattr(client, f"{kind}_containers"), getattr(client, f"{kind}_versions")
    described = {"dataType": "uri_folder"} if kind == "data" else {}
    made = containers.create_or_update(*place, name, {"properties": {"description": "first", **described}})
    assert (made.name, made.properties.description, made.properties.next_version) == (name, "first", "1")
    for version in ("1", "2"):
        body = {"properties": dict(KINDS[kind])}  # the client takes from it what it has read
        assert versions.create_or_update(*place, name, version, body).name == version
    assert names(versions.list(*place, name)) == ["1", "2"]
    assert names(versions.list(*place, name, order_by="createdtime desc", top=1)) == ["2"]
    assert versions.get(*place, name, "1").id.endswith(f"/{name}/versions/1")
    assert containers.get(*place, name).properties.latest_version == "2"
    assert name in names(containers.list(*place))
    versions.delete(*place, name, "2")
    assert names(versions.list(*place, name)) == ["1"]
    containers.delete(*place, name)
    assert name not in names(containers.list(*place))
    for gone in (lambda: containers.get(*place, name), lambda: versions.get(*place, name, "1")):
        with pytest.raises(ResourceNotFoundError):
            gone()


@pytest.mark.parametrize("kind", KINDS)
def test_containers_of_a_registry(
    client: MachineLearningServicesMgmtClient, registry: MLClient, kind: str, name: str
) -> None:
    place = (GROUP, REGISTRY)
    containers = getattr(client, f"registry_{kind}_containers")
    described = {"dataType": "uri_folder"} if kind == "data" else {}
    body = {"properties": {"description": "first", **described}}
    assert containers.begin_create_or_update(*place, name, body).result().properties.description == "first"
    body["properties"]["description"] = "second"
    containers.begin_create_or_update(*place, name, body).result()
    assert containers.get(*place, name).properties.description == "second"
    assert name in names(containers.list(*place))
    containers.begin_delete(*place, name).result()
    assert name not in names(containers.list(*place))


def test_environment_and_component_versions_of_a_registry(
    client: MachineLearningServicesMgmtClient, registry: MLClient, name: str
) -> None:
    place = (GROUP, REGISTRY)
    reference = f"azureml://registries/{REGISTRY}/environments/{name}/versions/1"
    spec = {"type": "command", "command": "true", "environment": reference}
    for kind, properties in (("environment", KINDS["environment"]), ("component", {"componentSpec": spec})):
        versions = getattr(client, f"registry_{kind}_versions")
        made = versions.begin_create_or_update(*place, name, "1", {"properties": properties}).result()
        assert made.properties.provisioning_state == "Succeeded"
        versions.begin_create_or_update(*place, name, "2", {"properties": properties}).result()
        assert names(versions.list(*place, name)) == ["1", "2"]
        assert versions.get(*place, name, "2").name == "2"
        versions.begin_delete(*place, name, "2").result()
        assert names(versions.list(*place, name)) == ["1"]


@pytest.mark.parametrize("kind", ["data", "model"])
def test_versions_with_files_of_a_registry(
    client: MachineLearningServicesMgmtClient, registry: MLClient, kind: str, name: str, tmp_path: Path
) -> None:
    from azure.ai.ml.entities import Data, Model

    (tmp_path / "file").write_text("content", "utf-8")
    if kind == "data":
        registry.data.create_or_update(Data(name=name, version="1", path=str(tmp_path), type="uri_folder"))
    else:
        registry.models.create_or_update(Model(name=name, version="1", path=str(tmp_path)))
    place = (GROUP, REGISTRY)
    versions = getattr(client, f"registry_{kind}_versions")
    found = versions.get(*place, name, "1")
    found.tags = {"by": "the management client"}
    changed = {"properties": {**found.properties.serialize(keep_readonly=False), "tags": {"a": "b"}}}
    assert versions.begin_create_or_update(*place, name, "1", changed).result().properties.tags == {"a": "b"}
    assert names(versions.list(*place, name)) == ["1"]
    versions.begin_delete(*place, name, "1").result()
    with pytest.raises(ResourceNotFoundError):
        versions.get(*place, name, "1")


def test_code_versions_of_a_registry(
    client: MachineLearningServicesMgmtClient, registry: MLClient, name: str, tmp_path: Path
) -> None:
    from azure.ai.ml.entities import CommandComponent, Environment

    (tmp_path / "main.py").write_text("", "utf-8")
    environment = registry.environments.create_or_update(Environment(name=name, version="1", image="python:3.11"))
    made = registry.components.create_or_update(
        CommandComponent(
            name=name, version="1", code=str(tmp_path), command="python main.py", environment=environment.id
        )
    )
    code, _, version = made.code.rpartition("/codes/")[2].partition("/versions/")
    place = (GROUP, REGISTRY)
    found = client.registry_code_versions.get(*place, code, version)
    again = {"properties": found.properties.serialize(keep_readonly=False)}
    client.registry_code_versions.begin_create_or_update(*place, code, version, again).result()
    assert names(client.registry_code_versions.list(*place, code)) == [version]
    client.registry_code_versions.begin_delete(*place, code, version).result()
    with pytest.raises(ResourceNotFoundError):
        client.registry_code_versions.get(*place, code, version)


def test_workspace_is_created_listed_updated_and_deleted(
    client: MachineLearningServicesMgmtClient, azureml_workspace: Workspace, name: str
) -> None:
    properties = client.workspaces.get(GROUP, azureml_workspace.name)
    parts = {
        "storageAccount": properties.storage_account,
        "keyVault": properties.key_vault,
        "applicationInsights": properties.application_insights,
    }
    body = {"location": "westeurope", "identity": {"type": "SystemAssigned"}, "properties": parts}
    assert client.workspaces.begin_create_or_update(GROUP, name, body).result().provisioning_state == "Succeeded"
    assert name in names(client.workspaces.list_by_subscription())
    assert name in names(client.workspaces.list_by_resource_group(GROUP))
    changed = client.workspaces.begin_update(GROUP, name, {"properties": {"description": "changed"}}).result()
    assert changed.description == "changed"
    assert client.workspaces.list_keys(GROUP, name).user_storage_resource_id == properties.storage_account
    client.workspaces.begin_delete(GROUP, name).result()
    assert name not in names(client.workspaces.list_by_resource_group(GROUP))


def test_compute_is_resized_and_has_no_nodes(
    client: MachineLearningServicesMgmtClient, azureml_workspace: Workspace, name: str
) -> None:
    place = (GROUP, azureml_workspace.name, name)
    inner = {"vmSize": "Standard_DS3_v2", "scaleSettings": {"minNodeCount": 0, "maxNodeCount": 1}}
    body = {"location": "westeurope", "properties": {"computeType": "AmlCompute", "properties": inner}}
    client.compute.begin_create_or_update(*place, body).result()
    scale = {"scaleSettings": {"minNodeCount": 0, "maxNodeCount": 2}}
    resized = client.compute.begin_update(*place, {"properties": {"properties": scale}}).result()
    assert resized.properties.properties.scale_settings.max_node_count == 2
    assert list(client.compute.list_nodes(*place)) == []
    assert name in names(client.compute.list(*place[:2]))
    client.compute.begin_delete(*place, underlying_resource_action="Delete").result()
    assert name not in names(client.compute.list(*place[:2]))


def test_registry_tags_are_updated(client: MachineLearningServicesMgmtClient, registry: MLClient) -> None:
    before = client.registries.get(GROUP, REGISTRY).tags
    changed = client.registries.update(GROUP, REGISTRY, {"tags": {**before, "by": "the management client"}})
    assert changed.tags == {**before, "by": "the management client"}
    assert client.registries.update(GROUP, REGISTRY, {"tags": {"by": None}}).tags == before


@pytest.mark.parametrize("kind", ["online", "batch"])
def test_endpoint_is_created_listed_updated_and_deleted(
    client: MachineLearningServicesMgmtClient, azureml_workspace: Workspace, kind: str, name: str
) -> None:
    place = (GROUP, azureml_workspace.name)
    endpoints = getattr(client, f"{kind}_endpoints")
    mode = "Key" if kind == "online" else "AADToken"
    body = {"location": "westeurope", "properties": {"authMode": mode}}
    endpoints.begin_create_or_update(*place, name, body).result()
    assert name in names(endpoints.list(*place))
    assert endpoints.begin_update(*place, name, {"tags": {"a": "b"}}).result().tags == {"a": "b"}
    assert endpoints.get(*place, name).properties.auth_mode == mode
    endpoints.begin_delete(*place, name).result()
    with pytest.raises(ResourceNotFoundError):
        endpoints.get(*place, name)


def test_parts_of_a_workspace_by_their_own_clients(amlite: LocalAzure) -> None:
    from azure.identity import DefaultAzureCredential
    from azure.mgmt.applicationinsights import ApplicationInsightsManagementClient
    from azure.mgmt.loganalytics import LogAnalyticsManagementClient
    from azure.mgmt.storage import StorageManagementClient

    credential = DefaultAzureCredential()
    account = f"st{uuid.uuid4().hex[:16]}"
    with StorageManagementClient(credential, SUBSCRIPTION_ID) as storage:
        made = {"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}
        assert storage.storage_accounts.begin_create(GROUP, account, made).result().name == account
        assert account in names(storage.storage_accounts.list())
        assert account in names(storage.storage_accounts.list_by_resource_group(GROUP))
        assert len(storage.storage_accounts.list_keys(GROUP, account).keys_property) == 2
        changed = storage.storage_accounts.update(GROUP, account, {"tags": {"a": "b"}})
        assert (changed.tags, storage.storage_accounts.get_properties(GROUP, account).tags) == ({"a": "b"},) * 2
        storage.storage_accounts.delete(GROUP, account)
        assert account not in names(storage.storage_accounts.list())
    with LogAnalyticsManagementClient(credential, SUBSCRIPTION_ID) as logs:
        logs.workspaces.begin_create_or_update(GROUP, f"log-{account}", {"location": "westeurope"}).result()
        workspace = logs.workspaces.get(GROUP, f"log-{account}")
        assert f"log-{account}" in names(logs.workspaces.list())
    with ApplicationInsightsManagementClient(credential, SUBSCRIPTION_ID) as insights:
        body = {"location": "westeurope", "kind": "web", "Application_Type": "web", "WorkspaceResourceId": workspace.id}
        made_insights = insights.components.create_or_update(GROUP, f"ai-{account}", body)
        assert made_insights.instrumentation_key
        assert f"ai-{account}" in names(insights.components.list_by_resource_group(GROUP))
        insights.components.delete(GROUP, f"ai-{account}")
        assert f"ai-{account}" not in names(insights.components.list())


def test_what_is_not_covered_is_refused(amlite: LocalAzure) -> None:
    """Amlite does not pretend to do what the page of coverage calls none."""
    answered = []
    for each in (*machine_learning(), *others()):
        if each.version and answers.find(each) is None:  # those on resources of any type have no version of their own
            path = each.sample.replace("/resourceGroups/sample", f"/resourceGroups/{GROUP}")
            answer = amlite.arm(each.method, path, {}, each.version)
            code = answer.json()["error"]["code"] if answer.status_code >= 400 else ""
            if code not in REFUSALS:
                answered.append((each.id, answer.status_code, code))
    assert answered == []
