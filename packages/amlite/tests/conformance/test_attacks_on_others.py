"""What a contributor to one resource group would try at another one: resources that name those of others."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import requests

from amlite.testing import LocalAzure, Workspace
from amlite_fixtures.azure import GROUP_ID, REGISTRY, SUBSCRIPTION, add_cluster

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

pytestmark = pytest.mark.attack
Json = dict[str, Any]
DATA = "https://westeurope.api.azureml.ms"
ML = "providers/Microsoft.MachineLearningServices"
STORAGE_VERSION = "2023-11-03"


class Attacker:
    """A contributor to a group with a workspace, which names a secret blob of the other workspace's account."""

    def __init__(self, azure: LocalAzure, victim: Workspace) -> None:
        self.azure, self.victim = azure, victim
        name = f"evil-{uuid.uuid4().hex[:8]}"
        self.own = Workspace.create(azure, f"mlw-{name}", resource_group=f"rg-{name}")
        self.group = self.own.layout.group_id
        self.credential = azure.application(("Contributor", self.group))
        self.account_id = f"{victim.layout.group_id}/providers/Microsoft.Storage/storageAccounts/{victim.account}"
        self.container = f"secrets-{name}"
        container_id = f"{self.account_id}/blobServices/default/containers/{self.container}"
        azure.put(container_id, {"properties": {}}, "2024-01-01")
        self.secret = f"https://{victim.account}.blob.core.windows.net/{self.container}/folder/secret"
        owner = azure.application(("Storage Blob Data Contributor", self.account_id))
        token = owner.get_token("https://storage.azure.com/.default").token
        written = azure.session.put(
            self.secret, data=b"SECRET",
            headers={
                "Authorization": f"Bearer {token}", "x-ms-version": STORAGE_VERSION, "x-ms-blob-type": "BlockBlob",
            },
        )  # fmt: skip
        assert written.status_code == 201

    def arm(self, method: str, path: str, body: Json | None = None, version: str = "2024-04-01") -> requests.Response:
        return self.azure.arm(method, path, body, version, credential=self.credential)

    def data(self, method: str, path: str, body: Json | None = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.credential.get_token('https://ml.azure.com/.default').token}"}
        return self.azure.session.request(method, f"{DATA}{path}", json=body, headers=headers)

    def datastore(self, credentials: Json) -> str:
        """Make a datastore of the secret's container, and return its name."""
        properties = {
            "datastoreType": "AzureBlob", "accountName": self.victim.account, "containerName": self.container,
            "credentials": credentials,
        }  # fmt: skip
        name = f"s{uuid.uuid4().hex[:8]}"
        made = self.arm("PUT", f"{self.own.id}/datastores/{name}", {"properties": properties})
        assert made.status_code == 201
        return name

    def model(self, uri: str) -> str:
        """Register a model with files elsewhere, and return its name."""
        name = f"m{uuid.uuid4().hex[:8]}"
        properties = {"modelUri": uri, "modelType": "custom_model"}
        made = self.arm("PUT", f"{self.own.id}/models/{name}/versions/1", {"properties": properties})
        assert made.status_code == 201
        return name


@pytest.fixture(scope="module")
def attacker(amlite: LocalAzure, azureml_workspace: Workspace) -> Attacker:
    return Attacker(amlite, azureml_workspace)


Named = tuple[str, str, Json, str]


def workspace_of_others(attacker: Attacker) -> Named:
    parts = attacker.azure.arm("GET", attacker.victim.id).json()["properties"]
    named = {name: parts[name] for name in ("storageAccount", "keyVault", "applicationInsights")}
    return f"{ML}/workspaces/mlw-stolen", "Microsoft.Storage/storageAccounts/write", named, "2024-04-01"


def workspace_with_an_endpoint_of_others(attacker: Attacker) -> Named:
    parts = attacker.azure.arm("GET", attacker.own.id).json()["properties"]
    named = {name: parts[name] for name in ("storageAccount", "keyVault", "applicationInsights")}
    rules = {"stolen": endpoint_of_others(attacker)}
    network = {"isolationMode": "AllowInternetOutbound", "outboundRules": rules}
    action = "Microsoft.Storage/storageAccounts/privateEndpointConnections/write"
    return f"{ML}/workspaces/mlw-endpoint", action, {**named, "managedNetwork": network}, "2024-04-01"


def endpoint_of_others(attacker: Attacker) -> Json:
    destination = {"serviceResourceId": attacker.account_id, "subresourceTarget": "blob"}
    return {"type": "PrivateEndpoint", "destination": destination, "category": "UserDefined"}


def rule_to_others(attacker: Attacker) -> Named:
    path = f"{ML}/workspaces/{attacker.own.name}/outboundRules/stolen"
    action = "Microsoft.Storage/storageAccounts/privateEndpointConnections/write"
    return path, action, endpoint_of_others(attacker), "2024-04-01"


def topic_of_others(attacker: Attacker) -> Named:
    properties = {"source": attacker.victim.id, "topicType": "Microsoft.MachineLearningServices.Workspaces"}
    kind = "Microsoft.EventGrid"
    return f"providers/{kind}/systemTopics/stolen", f"{kind}/eventSubscriptions/write", properties, "2022-06-15"


def subscription_to_others(attacker: Attacker) -> Named:
    properties = {"source": attacker.own.id, "topicType": "Microsoft.MachineLearningServices.Workspaces"}
    topic = "providers/Microsoft.EventGrid/systemTopics/own"
    body = {"location": "westeurope", "identity": {"type": "SystemAssigned"}, "properties": properties}
    attacker.azure.put(f"{attacker.group}/{topic}", body, "2022-06-15")
    queue = {"resourceId": attacker.account_id, "queueName": "q"}
    delivery = {"identity": {"type": "SystemAssigned"}}
    delivery |= {"destination": {"endpointType": "StorageQueue", "properties": queue}}
    named = {"deliveryWithResourceIdentity": delivery}
    return f"{topic}/eventSubscriptions/stolen", "Microsoft.Storage/storageAccounts/write", named, "2022-06-15"


def alert_of_others(attacker: Attacker) -> Named:
    properties = {"severity": 1, "scopes": [attacker.victim.id], "criteria": {}, "enabled": True}
    return "providers/Microsoft.Insights/metricAlerts/a", f"{ML[10:]}/workspaces/read", properties, "2018-03-01"


def alert_to_others(attacker: Attacker) -> Named:
    group = f"{attacker.victim.layout.group_id}/providers/Microsoft.Insights/actionGroups/ops"
    attacker.azure.put(group, {"location": "global", "properties": {"groupShortName": "ops"}}, "2023-01-01")
    named = {"scopes": [attacker.own.id], "actions": [{"actionGroupId": group}]}
    properties = {"severity": 1, "criteria": {}, "enabled": True, **named}
    return (
        "providers/Microsoft.Insights/metricAlerts/b",
        "Microsoft.Insights/actionGroups/read",
        properties,
        "2018-03-01",
    )


def scaling_of_others(attacker: Attacker) -> Named:
    target = f"{attacker.victim.id}/onlineEndpoints/e/deployments/d"
    action = f"{ML[10:]}/workspaces/onlineEndpoints/deployments/write"
    properties = {"targetResourceUri": target, "profiles": [], "enabled": True}
    return "providers/Microsoft.Insights/autoscaleSettings/a", action, properties, "2022-10-01"


def scaling_by_metrics_of_others(attacker: Attacker) -> Named:
    path, _, properties, version = scaling_of_others(attacker)
    trigger = {"metricName": "m", "metricResourceUri": f"{attacker.victim.id}/onlineEndpoints/e"}
    properties["targetResourceUri"] = f"{attacker.own.id}/onlineEndpoints/e/deployments/d"
    properties["profiles"] = [{"name": "p", "rules": [{"metricTrigger": trigger}]}]
    return path, f"{ML[10:]}/workspaces/onlineEndpoints/read", properties, version


MADE = [
    workspace_of_others, workspace_with_an_endpoint_of_others, rule_to_others, topic_of_others, subscription_to_others,
    alert_of_others, alert_to_others, scaling_of_others, scaling_by_metrics_of_others,
]  # fmt: skip


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("by_template", [False, True], ids=["put", "template"])
def test_a_resource_may_name_what_its_writer_may_use(attacker: Attacker, made: Any, by_template: bool) -> None:
    path, action, properties, version = made(attacker)
    body = {"location": "westeurope", "properties": properties}
    if by_template:
        _, provider, *rest = path.split("/")
        kind, name = "/".join([provider, *rest[::2]]), "/".join(rest[1::2])
        source = {"resources": [{"type": kind, "name": name, "apiVersion": version, **body}]}
        deployment = f"{attacker.group}/providers/Microsoft.Resources/deployments/d{uuid.uuid4().hex[:8]}"
        template = {"$schema": "x", "contentVersion": "1.0.0.0", **source}
        begun = attacker.arm(
            "PUT", deployment, {"properties": {"mode": "Incremental", "template": template}}, "2022-09-01"
        )
        attacker.azure.finish(begun)
        told = str(attacker.arm("GET", deployment, version="2022-09-01").json()["properties"]["error"])
    else:
        answer = attacker.arm("PUT", f"{attacker.group}/{path}", body, version)
        assert answer.status_code == 403
        told = answer.text
    assert "LinkedAuthorizationFailed" in told
    assert f"'{action}' on the linked scope(s)" in told
    assert attacker.arm("GET", f"{attacker.group}/{path}", version=version).status_code == 404


def job_on_the_victims_cluster(attacker: Attacker, owner: Workspace) -> dict[str, str]:
    """Return a job on the victim's cluster, which this creates, in a new environment of a workspace."""
    add_cluster(attacker.victim)
    environment = f"{owner.id}/environments/e/versions/1"
    attacker.azure.put(environment, {"properties": {"image": "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"}})
    compute = f"{attacker.victim.id}/computes/cpu"
    return {"jobType": "Command", "command": "echo SECRET", "environmentId": environment, "computeId": compute}


def test_a_link_that_stays_needs_no_permission(attacker: Attacker) -> None:
    """An owner linked the workspace. Later, one who may write the workspace alone changes its tags."""
    editor = attacker.azure.application(("Contributor", attacker.own.id))
    body = {**attacker.azure.arm("GET", attacker.own.id).json(), "tags": {"team": "a"}}
    assert attacker.azure.arm("PUT", attacker.own.id, body, credential=editor).status_code == 200


def test_a_job_does_not_run_as_the_identity_of_a_foreign_compute(attacker: Attacker) -> None:
    identity = f"{GROUP_ID}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-{uuid.uuid4().hex[:8]}"
    attacker.azure.put(identity, {"location": "westeurope"}, "2023-01-31")
    job = job_on_the_victims_cluster(attacker, attacker.own)
    answer = attacker.arm("PUT", f"{attacker.own.id}/jobs/{uuid.uuid4()}", {"properties": job})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ComputeNotFound")


def test_a_workspace_has_only_an_identity_that_is_assigned_to_it(attacker: Attacker) -> None:
    identity = f"{GROUP_ID}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-{uuid.uuid4().hex[:8]}"
    attacker.azure.put(identity, {"location": "westeurope"}, "2023-01-31")
    body = attacker.azure.arm("GET", attacker.own.id).json()
    body["properties"]["primaryUserAssignedIdentity"] = identity
    answer = attacker.arm("PUT", attacker.own.id, body)
    assert answer.status_code == 400
    assert "must be one of identity.userAssignedIdentities" in answer.text


@pytest.mark.parametrize(
    "credentials",
    [
        None,
        {"credentialsType": "None"},
        {"credentialsType": "AccountKey", "secrets": {"secretsType": "AccountKey", "key": "c2VjcmV0"}},
        {"credentialsType": "Sas", "secrets": {"secretsType": "Sas", "sasToken": "sv=2023-11-03&sp=rl&sig=c2VjcmV0"}},
        {"credentialsType": "Sas", "secrets": {"secretsType": "Sas", "sasToken": "skoid=a&sig=c2VjcmV0"}},
    ],
)
def test_files_of_others_are_read_neither_by_a_model_nor_by_a_datastore(
    attacker: Attacker, credentials: Json | None
) -> None:
    uri = attacker.secret
    if credentials is not None:
        store = attacker.datastore(credentials)
        uri = f"azureml://datastores/{store}/paths/folder/secret"
    name = attacker.model(uri)
    base = f"/artifact/v2.0{attacker.own.id}/artifacts/Models/{name}:1"
    for path in (f"{base}/contentinfo?path=model", base):
        answer = attacker.data("GET", path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "AuthorizationPermissionMismatch")
    models = f"/mlflow/v2.0{attacker.own.id}/api/2.0/mlflow"
    assert attacker.data("POST", f"{models}/registered-models/create", {"name": f"{name}-2"}).status_code == 200
    stolen = attacker.data("POST", f"{models}/model-versions/create", {"name": f"{name}-2", "source": uri})
    assert stolen.status_code == 403, stolen.text


def test_files_with_a_valid_key_are_read(attacker: Attacker) -> None:
    key = attacker.azure.arm("POST", f"{attacker.account_id}/listKeys", {}, "2023-01-01").json()["keys"][0]["value"]
    secrets = {"secretsType": "AccountKey", "key": key}
    store = attacker.datastore({"credentialsType": "AccountKey", "secrets": secrets})
    name = attacker.model(f"azureml://datastores/{store}/paths/folder/secret")
    shown = attacker.data("GET", f"/artifact/v2.0{attacker.own.id}/artifacts/Models/{name}:1/contentinfo?path=model")
    assert attacker.azure.session.get(shown.json()["contentUri"]).text == "SECRET"
    attacker.azure.remove(f"{attacker.own.id}/datastores/{store}")


def test_a_registry_imports_no_files_of_others(attacker: Attacker) -> None:
    registry = f"reg{uuid.uuid4().hex[:8]}"
    path = f"{attacker.group}/{ML}/registries/{registry}"
    body = {"location": "westeurope", "properties": {"regionDetails": [{"location": "westeurope"}]}}
    attacker.azure.put(path, body)
    name = attacker.model(attacker.secret)
    given = {
        "sourceAssetId": f"azureml://locations/westeurope/workspaces/{attacker.own.name}/models/{name}/versions/1",
        "destinationName": name, "destinationVersion": "1",
    }  # fmt: skip
    begun = attacker.data("POST", f"/mferp/managementfrontend{path}/import", {"properties": given})
    assert begun.status_code == 202, begun.text
    record = attacker.azure.finish(begun)
    assert (record["status"], record["error"]["code"]) == ("Failed", "AuthorizationPermissionMismatch")


def test_the_result_of_an_operation_is_for_those_who_may_read_it(attacker: Attacker) -> None:
    name = f"st{uuid.uuid4().hex[:10]}"
    body = {"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "properties": {}}
    path = f"{attacker.victim.layout.group_id}/providers/Microsoft.Storage/storageAccounts/{name}"
    begun = attacker.azure.arm("PUT", path, body, "2023-01-01")
    attacker.azure.finish(begun)
    place = begun.headers["Location"].removeprefix("https://management.azure.com").partition("?")[0]
    assert attacker.azure.arm("GET", place, version="2023-01-01").json()["name"] == name
    assert attacker.arm("GET", place, version="2023-01-01").status_code == 403


@pytest.mark.parametrize("reference", ["{id}/environments/{name}/versions/1", "azureml://locations/{place}"])
def test_a_job_shows_no_asset_of_another_workspace(attacker: Attacker, reference: str) -> None:
    name = f"e{uuid.uuid4().hex[:8]}"
    properties = {"image": "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"}
    attacker.azure.put(f"{attacker.victim.id}/environments/{name}/versions/1", {"properties": properties})
    place = f"westeurope/workspaces/{attacker.victim.name}/environments/{name}/versions/1"
    given = reference.format(id=attacker.victim.id, name=name, place=place)
    job = {"jobType": "Command", "command": "env", "environmentId": given}
    answer = attacker.arm("PUT", f"{attacker.own.id}/jobs/{uuid.uuid4()}", {"properties": job})
    assert answer.status_code == 404
    assert f"was not found in workspace '{attacker.own.name}'" in answer.text


SHARED = f"azureml://registries/{REGISTRY}"


@pytest.mark.parametrize(
    ("place", "properties"),
    [
        ("jobs/{name}", {"jobType": "Pipeline", "jobs": {"a": {"type": "command", "componentId": "{component}"}}}),
        ("jobs/{name}", {"jobType": "Command", "command": "env", "environmentId": "azureml:{environment}"}),
        (
            "components/{name}/versions/1",
            {"componentSpec": {"name": "{name}", "type": "command", "command": "env", "environment": "{environment}"}},
        ),
        (
            "schedules/{name}",
            {
                "action": {
                    "actionType": "CreateJob",
                    "jobDefinition": {"jobType": "Command", "command": "env", "environmentId": "{environment}"},
                },
                "trigger": {"triggerType": "Recurrence", "frequency": "Day", "interval": 1},
            },
        ),
    ],
    ids=["a step", "a job", "a component", "a schedule"],
)
def test_an_asset_of_a_registry_is_for_those_who_may_read_it(
    attacker: Attacker, registry: MLClient, place: str, properties: Json
) -> None:
    from azure.ai.ml.entities import CommandComponent, Environment

    name = f"a{uuid.uuid4().hex[:8]}"
    image = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
    registry.environments.create_or_update(Environment(name=name, version="1", image=image))
    named = {"name": name, "environment": f"{SHARED}/environments/{name}/versions/1"}
    component = CommandComponent(name=name, version="1", command="echo SECRET", environment=named["environment"])
    registry.components.create_or_update(component)
    named["component"] = f"{SHARED}/components/{name}/versions/1"
    text = json.dumps(properties)
    for key, value in named.items():
        text = text.replace(f"{{{key}}}", value)
    path, body = f"{attacker.own.id}/{place.format(name=name)}", {"properties": json.loads(text)}
    refused = attacker.arm("PUT", path, body)
    assert (refused.status_code, "registries/assets/read" in refused.text) == (403, True), refused.text
    attacker.azure.put(path, body)  # who may read the registry


def test_a_schedule_keeps_what_its_writer_could_not_name_anew(attacker: Attacker, registry: MLClient) -> None:
    from azure.ai.ml.entities import Environment

    name = f"a{uuid.uuid4().hex[:8]}"
    image = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
    registry.environments.create_or_update(Environment(name=name, version="1", image=image))
    job = {"jobType": "Command", "command": "env", "environmentId": f"{SHARED}/environments/{name}/versions/1"}
    body = {
        "properties": {
            "action": {"actionType": "CreateJob", "jobDefinition": job},
            "trigger": {"triggerType": "Recurrence", "frequency": "Day", "interval": 1},
        }
    }
    path = f"{attacker.own.id}/schedules/{name}"
    attacker.azure.put(path, body)
    body["properties"]["isEnabled"] = False
    assert attacker.arm("PUT", path, body).status_code < 300


def test_a_schedule_repeats_no_job_of_another_workspace(attacker: Attacker) -> None:
    job = job_on_the_victims_cluster(attacker, attacker.victim)
    source = f"{attacker.victim.id}/jobs/{uuid.uuid4()}"
    assert attacker.azure.arm("PUT", source, {"properties": job}).status_code == 201
    action = {"actionType": "CreateJob", "jobDefinition": {"jobType": "Pipeline", "sourceJobId": source}}
    trigger = {"triggerType": "Cron", "expression": "0 8 * * *"}
    schedule = f"{attacker.own.id}/schedules/stolen"
    answer = attacker.arm("PUT", schedule, {"properties": {"action": action, "trigger": trigger}})
    assert answer.status_code == 400
    assert "was not found in the schedule's workspace" in answer.text


def test_a_databricks_workspace_does_not_act_as_a_foreign_access_connector(attacker: Attacker) -> None:
    version, name = "2026-01-01", f"dbw-{uuid.uuid4().hex[:8]}"
    kind = "providers/Microsoft.Databricks"
    identity = {"location": "westeurope", "identity": {"type": "SystemAssigned"}, "properties": {}}
    foreign = attacker.azure.put(f"{attacker.victim.layout.group_id}/{kind}/accessConnectors/{name}", identity, version)
    managed = f"{SUBSCRIPTION}/resourceGroups/rg-{name}-managed"
    body = {
        "location": "westeurope", "sku": {"name": "premium"},
        "properties": {"managedResourceGroupId": managed, "computeMode": "Hybrid"},
    }  # fmt: skip
    made = attacker.azure.put(f"{attacker.group}/{kind}/workspaces/{name}", body, version)
    address = f"https://{made['properties']['workspaceUrl']}/api/2.1/unity-catalog/storage-credentials"
    token = attacker.credential.get_token("2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default").token

    def ask(method: str, path: str, connector: str) -> requests.Response:
        given = {"name": "c", "azure_managed_identity": {"access_connector_id": connector}}
        headers = {"Authorization": f"Bearer {token}"}
        return attacker.azure.session.request(method, f"{address}{path}", json=given, headers=headers)

    refused = ask("POST", "", foreign["id"])
    assert (refused.status_code, refused.json()["error_code"]) == (403, "PERMISSION_DENIED")
    own = attacker.azure.put(f"{attacker.group}/{kind}/accessConnectors/{name}", identity, version)
    assert ask("POST", "", own["id"]).status_code == 200
    assert ask("PATCH", "/c", foreign["id"]).status_code == 403


def test_an_owner_of_one_group_changes_no_custom_role_of_another_one(attacker: Attacker) -> None:
    """Its assignments would have what the attacker writes into it: also those in the other group."""
    owner, name = attacker.azure.application(("Owner", attacker.group)), str(uuid.uuid4())
    kind = "providers/Microsoft.Authorization/roleDefinitions"

    def send(method: str, group: str, action: str, by: Any = None) -> requests.Response:
        permissions = [{"actions": [action]}]
        properties = {"roleName": f"r {name}", "permissions": permissions, "assignableScopes": [group]}
        path = f"{group}/{kind}/{name}"
        return attacker.azure.arm(method, path, {"properties": properties}, "2022-04-01", credential=by)

    theirs = attacker.victim.layout.group_id
    assert send("PUT", theirs, "*/read").status_code == 201
    for method in ("PUT", "DELETE"):
        refused = send(method, attacker.group, "*", owner)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "AuthorizationFailed"), method
    kept = attacker.azure.arm("GET", f"{theirs}/{kind}/{name}", version="2022-04-01").json()
    assert kept["properties"]["permissions"][0]["actions"] == ["*/read"]
    assert send("DELETE", theirs, "").status_code == 200


def test_a_workspace_does_not_get_an_account_that_another_group_creates_later(attacker: Attacker) -> None:
    """The attacker deletes the account of a workspace, and waits until somebody creates one of its name."""
    name = f"gone-{uuid.uuid4().hex[:8]}"
    waiting = Workspace.create(attacker.azure, f"mlw-{name}", resource_group=attacker.own.resource_group)
    kind, version = "Microsoft.Storage/storageAccounts", "2024-01-01"
    old = f"{attacker.group}/providers/{kind}/{waiting.account}"
    body = {"location": "westeurope", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}
    attacker.azure.remove(old, version)
    question = f"{SUBSCRIPTION}/providers/Microsoft.Storage/checkNameAvailability"
    asked = attacker.azure.arm("POST", question, {"name": waiting.account, "type": kind}, version)
    assert asked.json()["nameAvailable"] is False
    theirs = f"{attacker.victim.layout.group_id}/providers/{kind}/{waiting.account}"
    made = attacker.azure.arm("PUT", theirs, body, version)
    assert (made.status_code, made.json()["error"]["code"]) == (409, "StorageAccountAlreadyTaken")
    attacker.azure.put(old, body, version)  # in its place, it can be created again
    attacker.azure.remove(old, version)
    attacker.azure.finish(attacker.azure.arm("DELETE", waiting.id, query="&forceToPurge=true"))
    assert attacker.azure.put(theirs, body, version)["name"] == waiting.account


def test_a_custom_role_is_assigned_only_where_it_can_be(attacker: Attacker) -> None:
    """Whoever may write it there could give it other permissions later, at each place of an assignment."""
    owner, name = attacker.azure.application(("Owner", attacker.group)), str(uuid.uuid4())
    kind, version = "providers/Microsoft.Authorization", "2022-04-01"
    properties = {"roleName": f"r {name}", "permissions": [{"actions": ["*/read"]}]}
    path = f"{attacker.group}/{kind}/roleDefinitions/{name}"
    body = {"properties": {**properties, "assignableScopes": [attacker.group]}}
    assert attacker.azure.arm("PUT", path, body, version, credential=owner).status_code == 201
    given = {"properties": {"roleDefinitionId": path, "principalId": str(uuid.uuid4()), "principalType": "User"}}
    for scope, expected in ((SUBSCRIPTION, 400), (GROUP_ID, 400), (attacker.group, 201), (attacker.own.id, 201)):
        made = attacker.azure.arm("PUT", f"{scope}/{kind}/roleAssignments/{uuid.uuid4()}", given, version)
        assert made.status_code == expected, scope


@pytest.mark.parametrize(
    "permissions",
    [
        [{"actions": [f"Microsoft.A/{each}/read" for each in range(2001)]}],
        [{"actions": ["a" * 301]}],
        [{}] * 2001,
        ["*"],
        [{"actions": "*"}],
        [{"notActions": [["*"]]}],
    ],
)
def test_a_custom_role_has_a_moderate_number_of_actions(attacker: Attacker, permissions: Any) -> None:
    """Each check of a permission of its holders reads all of them."""
    properties = {"roleName": "r", "permissions": permissions, "assignableScopes": [attacker.group]}
    path = f"{attacker.group}/providers/Microsoft.Authorization/roleDefinitions/{uuid.uuid4()}"
    assert attacker.azure.arm("PUT", path, {"properties": properties}, "2022-04-01").status_code == 400


def test_a_databricks_workspace_deletes_no_group_that_became_anothers(attacker: Attacker) -> None:
    """The attacker names a group that the victim creates later, and then deletes the workspace."""
    version, name = "2026-01-01", f"dbw-{uuid.uuid4().hex[:8]}"
    group = f"{SUBSCRIPTION}/resourceGroups/rg-{name}"
    path = f"{attacker.group}/providers/Microsoft.Databricks/workspaces/{name}"
    body = {
        "location": "westeurope", "sku": {"name": "premium"},
        "properties": {"managedResourceGroupId": group, "computeMode": "Hybrid"},
    }  # fmt: skip
    attacker.azure.put(path, body, version)
    attacker.azure.put(group, {"location": "westeurope"}, "2021-04-01")
    identity = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/precious"
    attacker.azure.put(identity, {"location": "westeurope"}, "2023-01-31")
    attacker.azure.finish(attacker.arm("DELETE", path, version=version))
    assert attacker.azure.arm("GET", path, version=version).status_code == 404
    assert attacker.azure.arm("GET", identity, version="2023-01-31").status_code == 200


@pytest.mark.parametrize("kind", ["None", "none", None])
@pytest.mark.parametrize(
    ("type_", "version"),
    [
        ("Microsoft.DataFactory/factories", "2018-06-01"), ("Microsoft.Databricks/accessConnectors", "2023-05-01"),
        ("Microsoft.EventGrid/systemTopics", "2022-06-15"), ("Microsoft.Logic/workflows", "2019-05-01"),
    ],
)  # fmt: skip
def test_nobody_writes_the_principal_of_an_identity(
    attacker: Attacker, type_: str, version: str, kind: str | None
) -> None:
    """A resource signs in as the principal that is stored with it: here the one of another group's resource."""
    factory = f"{attacker.victim.layout.group_id}/providers/Microsoft.DataFactory/factories/v{uuid.uuid4().hex[:8]}"
    body: Json = {"location": "westeurope", "identity": {"type": "SystemAssigned"}, "properties": {}}
    principal = attacker.azure.put(factory, body, "2018-06-01")["identity"]["principalId"]
    if type_.startswith("Microsoft.EventGrid"):
        attacker.azure.remove(f"{attacker.group}/providers/{type_}/own", version)  # a source has one topic only
        body["properties"] = {"source": attacker.own.id, "topicType": "Microsoft.MachineLearningServices.Workspaces"}
    if type_.startswith("Microsoft.Logic"):
        trigger = {"type": "Http", "recurrence": {"frequency": "Day", "interval": 1}}
        trigger["inputs"] = {"method": "GET", "uri": "https://management.azure.com/"}
        body["properties"] = {"definition": {"triggers": {"daily": trigger}, "actions": {}}}
    stolen = {"type": kind, "principalId": principal, "tenantId": principal}
    path = f"{attacker.group}/providers/{type_}/e{uuid.uuid4().hex[:8]}"
    made = attacker.arm("PUT", path, {**body, "identity": stolen}, version)
    assert made.status_code < 300
    for answer in (
        attacker.azure.arm("GET", path, version=version),
        attacker.arm("PATCH", path, {"identity": stolen}, version),
        attacker.azure.arm("GET", path, version=version),
    ):
        assert principal not in answer.text
    attacker.azure.remove(path, version)
    attacker.azure.remove(factory, "2018-06-01")


def test_a_cluster_does_not_get_the_address_of_another_one(attacker: Attacker) -> None:
    version, kind = "2024-05-01", "Microsoft.ContainerService/managedClusters"
    pools = [{"name": "system", "mode": "System", "count": 1, "vmSize": "Standard_DS2_v2"}]
    properties = {"dnsPrefix": "c", "agentPoolProfiles": pools}
    body = {"location": "westeurope", "identity": {"type": "SystemAssigned"}, "properties": properties}
    own, victim = (
        f"{group}/providers/{kind}/c{uuid.uuid4().hex[:8]}"
        for group in (attacker.group, attacker.victim.layout.group_id)
    )
    addresses = [attacker.azure.put(path, body, version)["properties"]["fqdn"] for path in (own, victim)]
    for address in ("fqdn", "privateFQDN", "azurePortalFQDN"):
        changed = {**body, "properties": {**properties, address: addresses[1]}}
        assert attacker.arm("PUT", own, changed, version).status_code == 200
        assert attacker.azure.put(own, changed, version)["properties"]["fqdn"] == addresses[0]
        assert addresses[1] not in attacker.azure.arm("GET", own, version=version).text
    for path in (own, victim):
        attacker.azure.remove(path, version)
