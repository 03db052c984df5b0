"""Workspaces, computes and datastores: by the real client and by plain ARM requests."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

import psutil
import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from amlite import SUBSCRIPTION_ID, TENANT_ID
from amlite.core.access import role_id
from amlite.testing import LocalAzure, Workspace
from amlite_fixtures.azure import GROUP, GROUP_ID, SUBSCRIPTION, Json

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

WORKSPACES = f"{GROUP_ID}/providers/Microsoft.MachineLearningServices/workspaces"
SIZE = "Standard_DS3_v2"


def cluster(**properties: object) -> Json:
    scale = {"minNodeCount": 0, "maxNodeCount": 2, "nodeIdleTimeBeforeScaleDown": "PT2M"}
    inner = {"vmSize": SIZE, "scaleSettings": scale, **properties}
    return {"location": "westeurope", "properties": {"computeType": "AmlCompute", "properties": inner}}


def parts_of(workspace: Workspace) -> Json:
    properties = workspace.azure.arm("GET", workspace.id).json()["properties"]
    return {name: properties[name] for name in ("storageAccount", "keyVault", "applicationInsights")}


def test_workspace_get_describes_what_it_is_made_of(azureml_workspace: Workspace, ml_client: MLClient) -> None:
    found = ml_client.workspaces.get(azureml_workspace.name)
    assert found.storage_account.endswith(azureml_workspace.account)
    assert found.discovery_url == "https://westeurope.api.azureml.ms/discovery"
    assert found.mlflow_tracking_uri == f"azureml://westeurope.api.azureml.ms/mlflow/v1.0{azureml_workspace.id}"
    assert found.identity.principal_id
    assert [entry.name for entry in ml_client.workspaces.list()].count(azureml_workspace.name) == 1


def test_workspace_create_or_update_keeps_its_ids(amlite: LocalAzure) -> None:
    made = Workspace.create(amlite, "kept")
    before = made.azure.arm("GET", made.id).json()
    body = {"location": "westeurope", "tags": {"a": "b"}, "properties": {**parts_of(made), "friendlyName": "new"}}
    after = made.azure.put(made.id, body)
    assert after["properties"]["workspaceId"] == before["properties"]["workspaceId"]
    assert after["identity"]["principalId"] == before["identity"]["principalId"]
    assert (after["tags"], after["properties"]["friendlyName"]) == ({"a": "b"}, "new")
    patched = made.azure.arm("PATCH", made.id, {"properties": {"description": "patched"}})
    made.azure.finish(patched)
    properties = made.azure.arm("GET", made.id).json()["properties"]
    assert (properties["description"], properties["friendlyName"]) == ("patched", "new")


def test_workspace_delete_takes_everything_below_with_it(amlite: LocalAzure) -> None:
    made = Workspace.create(amlite, "short-lived")
    version = f"{made.id}/environments/e/versions/1"
    assert made.azure.arm("PUT", version, {"properties": {"image": "python:3.11"}}).status_code == 201
    made.azure.remove(made.id)
    assert made.azure.arm("GET", version).json()["error"]["code"] == "ResourceNotFound"
    with pytest.raises(ResourceNotFoundError):
        made.client().workspaces.get(made.name)


def test_workspace_delete_takes_its_identity_out_of_the_directory(amlite: LocalAzure) -> None:
    """Source: "What are managed identities for Azure resources". Role assignments stay."""
    made = Workspace.create(amlite, "left")
    principal = amlite.arm("GET", made.id).json()["identity"]["principalId"]

    def given(role: str) -> Json:
        definition = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{role_id(role)}"
        return {"properties": {"roleDefinitionId": definition, "principalId": principal}}

    assignments = f"{GROUP_ID}/providers/Microsoft.Authorization/roleAssignments"
    kept = f"{assignments}/{uuid.uuid4()}"
    amlite.put(kept, given("Reader"), "2022-04-01")
    amlite.remove(made.id)
    refused = amlite.arm("PUT", f"{assignments}/{uuid.uuid4()}", given("Contributor"), "2022-04-01")
    assert "PrincipalNotFound" in refused.text
    assert amlite.arm("GET", kept, version="2022-04-01").status_code == 200


def test_workspace_delete_ends_its_jobs(amlite: LocalAzure) -> None:
    made = Workspace.create(amlite, "busy")
    azure = made.azure
    azure.put(f"{made.id}/computes/cpu", cluster())
    environment = f"{made.id}/environments/e/versions/1"
    conda = "dependencies:\n- python=3.11\n"
    azure.arm("PUT", environment, {"properties": {"image": "mcr.microsoft.com/azureml/base", "condaFile": conda}})
    seconds = str(10_000 + uuid.uuid4().int % 10_000)
    job = {"jobType": "Command", "command": f"sleep {seconds}", "environmentId": environment}
    answer = azure.arm("PUT", f"{made.id}/jobs/long", {"properties": {**job, "computeId": f"{made.id}/computes/cpu"}})
    assert answer.status_code == 201, answer.text
    while not sleeping(seconds):
        status = azure.arm("GET", f"{made.id}/jobs/long").json()["properties"]["status"]
        assert status not in ("Failed", "Completed", "Canceled")
        time.sleep(0.1)
    azure.remove(made.id)
    assert not sleeping(seconds)
    assert azure.arm("GET", made.id).status_code == 404


def sleeping(seconds: str) -> bool:
    return any(seconds in (process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("ab", {}, "3-33"),
        ("w" * 34, {}, "3-33"),
        ("no-vault", {"keyVault": None}, "keyVault"),
        ("no-such-vault", {"keyVault": f"{GROUP_ID}/providers/Microsoft.KeyVault/vaults/none"}, "was not found"),
        ("odd-mode", {"systemDatastoresAuthMode": "magic"}, "systemDatastoresAuthMode"),
    ],
)
def test_workspace_create_or_update_refuses(azureml_workspace: Workspace, name: str, change: Json, said: str) -> None:
    body = {"location": "westeurope", "properties": {**parts_of(azureml_workspace), **change}}
    answer = azureml_workspace.azure.arm("PUT", f"{WORKSPACES}/{name}", body)
    assert answer.status_code == 400, answer.text
    assert said in answer.json()["error"]["message"]


@pytest.mark.parametrize("kind", ["Hub", "project", "FeatureStore"])
def test_workspace_create_or_update_refuses_other_kinds(azureml_workspace: Workspace, kind: str) -> None:
    body = {"location": "westeurope", "kind": kind, "properties": parts_of(azureml_workspace)}
    answer = azureml_workspace.azure.arm("PUT", f"{WORKSPACES}/another-kind", body)
    assert answer.status_code == 400, answer.text
    assert f"of the kind Default only, not hubs, projects or others: '{kind}'" in answer.json()["error"]["message"]


def test_workspace_create_or_update_asks_for_a_primary_identity_with_its_roles(azureml_workspace: Workspace) -> None:
    """Source: how-to-identity-based-service-authentication, the roles of a user-assigned workspace identity."""
    azure, properties = azureml_workspace.azure, parts_of(azureml_workspace)
    identity_id = f"{GROUP_ID}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/workspace"
    principal = azure.put(identity_id, {"location": "westeurope"}, "2023-01-31")["properties"]["principalId"]
    body: Json = {
        "location": "westeurope",
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {identity_id: {}}},
        "properties": properties,
    }
    answer = azure.arm("PUT", f"{WORKSPACES}/user-assigned", body)
    assert "primaryUserAssignedIdentity" in answer.json()["error"]["message"]
    properties["primaryUserAssignedIdentity"] = identity_id
    for part in ("storageAccount", "keyVault", "applicationInsights"):
        refused = azure.arm("PUT", f"{WORKSPACES}/user-assigned", body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "AuthorizationFailed")
        assert f"with object id '{principal}'" in refused.json()["error"]["message"]
        assert properties[part] in refused.json()["error"]["message"]
        azure.assign("Contributor", properties[part], principal)
    azure.assign("Key Vault Administrator", properties["keyVault"], principal)
    made = azure.put(f"{WORKSPACES}/user-assigned", body)
    assert made["identity"]["userAssignedIdentities"][identity_id]["principalId"] == principal


def test_workspace_get_in_another_subscription_fails() -> None:
    from azure.ai.ml import MLClient
    from azure.identity import DefaultAzureCredential

    client = MLClient(DefaultAzureCredential(), str(uuid.uuid4()), GROUP, "any", enable_telemetry=False)
    with pytest.raises(HttpResponseError, match="SubscriptionNotFound"):
        client.workspaces.get("any")


def test_workspace_keeps_everything_over_a_restart(azureml_workspace: Workspace, ml_client: MLClient) -> None:
    paths = [
        azureml_workspace.id,
        f"{azureml_workspace.id}/datastores/workspaceblobstore",
        f"{azureml_workspace.id}/computes/lasting",
    ]
    azureml_workspace.azure.put(paths[2], cluster())
    before = [azureml_workspace.azure.arm("GET", path).json() for path in paths]
    azureml_workspace.azure.restart()
    assert [azureml_workspace.azure.arm("GET", path).json() for path in paths] == before
    assert ml_client.compute.get("lasting").size == SIZE.upper()


def test_compute_create_or_update_scales_and_deletes(ml_client: MLClient) -> None:
    from azure.ai.ml.entities import AmlCompute

    made = ml_client.compute.begin_create_or_update(
        AmlCompute(name="scaled", size=SIZE, min_instances=0, max_instances=2, idle_time_before_scale_down=120)
    ).result()
    assert (made.provisioning_state, made.max_instances, made.tier) == ("Succeeded", 2, "dedicated")
    made.max_instances = 4
    assert ml_client.compute.begin_update(made).result().max_instances == 4
    assert "scaled" in [entry.name for entry in ml_client.compute.list()]
    ml_client.compute.begin_delete("scaled").result()
    with pytest.raises(ResourceNotFoundError):
        ml_client.compute.get("scaled")


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("a", cluster(), "3-32"),
        ("under_score", cluster(), "letters, digits and hyphens"),
        ("size", cluster(vmSize="Standard_Huge_v9"), "Standard_Huge_v9"),
        ("least", cluster(scaleSettings={"minNodeCount": 3, "maxNodeCount": 2}), "minNodeCount"),
        ("idle", cluster(scaleSettings={"maxNodeCount": 2, "nodeIdleTimeBeforeScaleDown": "120"}), "duration"),
        ("priority", cluster(vmPriority="Cheap"), "vmPriority"),
        ("kind", {"location": "westeurope", "properties": {"computeType": "Abacus"}}, "Abacus"),
        ("none", {"location": "westeurope"}, "computeType"),
    ],
)
def test_compute_create_or_update_refuses(azureml_workspace: Workspace, name: str, body: Json, said: str) -> None:
    answer = azureml_workspace.azure.arm("PUT", f"{azureml_workspace.id}/computes/{name}", body)
    assert answer.status_code == 400, answer.text
    assert said in answer.json()["error"]["message"]


def test_compute_create_or_update_accepts_another_size_or_priority_and_keeps_the_old(
    azureml_workspace: Workspace,
) -> None:
    """Sources: issues 18889 of Azure/azure-rest-api-specs and 15825 of hashicorp/terraform-provider-azurerm."""
    path = f"{azureml_workspace.id}/computes/fixed-size"
    before = azureml_workspace.azure.put(path, cluster())["properties"]["properties"]
    after = azureml_workspace.azure.put(path, cluster(vmSize="Standard_DS2_v2", vmPriority="LowPriority"))
    for key in ("vmSize", "vmPriority"):
        assert after["properties"]["properties"][key] == before[key]


def test_datastore_get_default_has_a_key_where_keys_are_used(azureml_workspace: Workspace, ml_client: MLClient) -> None:
    default = ml_client.datastores.get_default(include_secrets=True)
    assert (default.name, default.account_name) == ("workspaceblobstore", azureml_workspace.account)
    assert default.credentials.account_key
    names = {store.name for store in ml_client.datastores.list()}
    assert names >= {"workspaceblobstore", "workspaceartifactstore", "workspaceworkingdirectory", "workspacefilestore"}


def test_datastore_get_default_has_no_secret_where_identity_is_used(identity_workspace: Workspace) -> None:
    from azure.ai.ml.entities import NoneCredentialConfiguration

    default = identity_workspace.client().datastores.get_default()
    assert isinstance(default.credentials, NoneCredentialConfiguration)
    secrets = identity_workspace.azure.arm("POST", f"{identity_workspace.id}/datastores/{default.name}/listSecrets", {})
    assert secrets.status_code == 400


@pytest.mark.attack
def test_a_datastore_without_credentials_has_no_secrets(azureml_workspace: Workspace) -> None:
    secrets = {"secretsType": "AccountKey", "key": "c2VjcmV0"}
    properties = {
        "datastoreType": "AzureBlob",
        "accountName": azureml_workspace.account,
        "containerName": "nothing",
        "credentials": {"credentialsType": "None", "secrets": secrets},
    }
    shown = azureml_workspace.azure.put(f"{azureml_workspace.id}/datastores/nothing", {"properties": properties})
    assert shown["properties"]["credentials"] == {"credentialsType": "None"}


def test_datastore_create_or_update_never_shows_its_secret(azureml_workspace: Workspace, ml_client: MLClient) -> None:
    from azure.ai.ml.entities import AccountKeyConfiguration, AzureBlobDatastore

    key = "c2VjcmV0" * 8
    store = AzureBlobDatastore(
        name="extra", account_name=azureml_workspace.account, container_name="extra",
        credentials=AccountKeyConfiguration(account_key=key),
    )  # fmt: skip
    ml_client.datastores.create_or_update(store)
    assert key not in azureml_workspace.azure.arm("GET", f"{azureml_workspace.id}/datastores/extra").text
    assert key not in azureml_workspace.azure.arm("GET", f"{azureml_workspace.id}/datastores").text
    assert ml_client.datastores.get("extra", include_secrets=True).credentials.account_key == key
    ml_client.datastores.delete("extra")
    with pytest.raises(ResourceNotFoundError):
        ml_client.datastores.get("extra")


def test_workspace_put_is_refused_to_a_data_scientist(azureml_workspace: Workspace) -> None:
    scientist = azureml_workspace.azure.application(("AzureML Data Scientist", azureml_workspace.id))
    answer = azureml_workspace.azure.arm("PUT", azureml_workspace.id, {"location": "westeurope"}, credential=scientist)
    assert answer.status_code == 403
    assert "workspaces/write" in answer.json()["error"]["message"]


def test_discovery_needs_no_token(amlite: LocalAzure) -> None:
    answer = amlite.session.get("https://westeurope.api.azureml.ms/discovery")
    assert answer.json()["history"] == "https://westeurope.api.azureml.ms"


def test_request_without_a_token_is_refused(amlite: LocalAzure) -> None:
    path = f"https://management.azure.com/subscriptions/{SUBSCRIPTION_ID}?api-version=2022-12-01"
    answer = amlite.session.get(path)
    assert answer.status_code == 401
    assert TENANT_ID in answer.headers["WWW-Authenticate"]
