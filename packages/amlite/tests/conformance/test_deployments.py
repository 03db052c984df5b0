"""Deployments of templates, by azure-mgmt-resource as azure-ai-ml has it, which creates workspaces with one."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential

from amlite import SUBSCRIPTION_ID
from amlite.testing import LocalAzure, Workspace
from amlite_fixtures.azure import GROUP, GROUP_ID, ML_VERSION

Json = dict[str, Any]
SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
VERSION = "2022-09-01"


@pytest.fixture
def client(amlite: LocalAzure) -> Iterator[Any]:
    from azure.ai.ml._vendor.azure_resources import ResourceManagementClient

    with ResourceManagementClient(DefaultAzureCredential(), SUBSCRIPTION_ID, polling_interval=0.1) as client:
        yield client.deployments


def template(*resources: Json, **more: Any) -> Json:
    return {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": list(resources), **more}


def account(name: str = "[variables('name')]", **more: Any) -> Json:
    kind = "Microsoft.Storage/storageAccounts"
    sku = {"name": "Standard_LRS"}
    place = "[resourceGroup().location]"
    return {
        "type": kind, "apiVersion": "2023-01-01", "name": name, "location": place, "sku": sku, "kind": "StorageV2",
        **more,
    }  # fmt: skip


def identity(name: str, **more: Any) -> Json:
    kind = "Microsoft.ManagedIdentity/userAssignedIdentities"
    return {"type": kind, "apiVersion": "2023-01-31", "name": name, "location": "westeurope", **more}


def nested(name: str, resources: list[Json]) -> Json:
    properties = {"mode": "Incremental", "template": template(*resources)}
    return {"type": "Microsoft.Resources/deployments", "apiVersion": VERSION, "name": name, "properties": properties}


def inner(**properties: Any) -> Json:
    made = nested("inner", [])
    return {**made, "properties": {**made["properties"], **properties}}


def deploy(client: Any, source: Json, parameters: Json | None = None) -> Any:
    properties = {"mode": "Incremental", "template": source, "parameters": parameters or {}}
    name = f"d-{uuid.uuid4().hex[:8]}"
    return client.begin_create_or_update(GROUP, name, {"properties": properties}).result()


def test_a_template_is_deployed_with_its_parameters_variables_conditions_and_outputs(
    amlite: LocalAzure, client: Any
) -> None:
    """Source: "Understand the structure and syntax of ARM templates"."""
    prefix = f"st{uuid.uuid4().hex[:8]}"
    source = template(
        account(tags="[if(empty(parameters('team')), json('null'), createObject('team', parameters('team')))]"),
        account("unwanted", condition="[equals(parameters('team'), 'nobody')]"),
        parameters={
            "prefix": {"type": "string"}, "team": {"type": "string", "defaultValue": ""},
            "key": {"type": "secureString"},
        },
        variables={"name": "[toLower(concat(parameters('prefix'), 'X'))]"},
        outputs={
            "id": {"type": "string", "value": "[resourceId('Microsoft.Storage/storageAccounts', variables('name'))]"},
            "blob": {"type": "string", "value": "[reference(variables('name')).primaryEndpoints.blob]"},
            "text": {"type": "string", "value": "[[no expression]"},
        },
    )  # fmt: skip
    given = {"prefix": {"value": prefix}, "team": {"value": "flights"}, "key": {"value": "swordfish"}}
    made = deploy(client, source, given)
    id = f"{GROUP_ID}/providers/Microsoft.Storage/storageAccounts/{prefix}x"
    assert made.properties.provisioning_state == "Succeeded"
    assert [each.id for each in made.properties.output_resources] == [id]
    outputs = {name: each["value"] for name, each in made.properties.outputs.items()}
    assert outputs == {"id": id, "blob": f"https://{prefix}x.blob.core.windows.net/", "text": "[no expression]"}
    assert "swordfish" not in amlite.arm("GET", made.id, version=VERSION).text
    assert amlite.arm("GET", id, version="2023-01-01").json()["tags"] == {"team": "flights"}
    assert made.name in [each.name for each in client.list_by_resource_group(GROUP)]
    assert client.export_template(GROUP, made.name).template["contentVersion"] == "1.0.0.0"
    client.begin_delete(GROUP, made.name).result()
    with pytest.raises(ResourceNotFoundError, match="DeploymentNotFound"):
        client.get(GROUP, made.name)


def test_resources_wait_for_those_they_depend_on_and_refer_to(amlite: LocalAzure, client: Any) -> None:
    """`reference` makes a dependency without `dependsOn`; a nested deployment has the outer one's parameters."""
    name, guid = f"id-{uuid.uuid4().hex[:8]}", str(uuid.uuid4())
    assignment = {
        "type": "Microsoft.Authorization/roleAssignments", "apiVersion": "2022-04-01", "name": guid,
        "properties": {
            "roleDefinitionId": "[subscriptionResourceId('Microsoft.Authorization/roleDefinitions', "
            "parameters('role'))]",
            "principalId": "[reference(resourceId('Microsoft.ManagedIdentity/userAssignedIdentities', "
            "parameters('identity')), '2023-01-31').principalId]",
            "principalType": "ServicePrincipal",
        },
    }  # fmt: skip
    nested = {
        "type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "inner",
        "properties": {"mode": "Incremental", "template": template(assignment)},
    }  # fmt: skip
    last = account(f"st{uuid.uuid4().hex[:8]}", dependsOn=["inner"])
    source = template(
        last, nested, identity("[parameters('identity')]"),
        parameters={"identity": {"type": "string"}, "role": {"type": "string"}},
    )  # fmt: skip
    reader = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
    made = deploy(client, source, {"identity": {"value": name}, "role": {"value": reader}})
    kinds = [each.id.rpartition("/")[0].rpartition("/")[2] for each in made.properties.output_resources]
    assert kinds == ["userAssignedIdentities", "roleAssignments", "storageAccounts"]
    assigned = amlite.arm("GET", f"{GROUP_ID}/providers/Microsoft.Authorization/roleAssignments/{guid}").json()
    made_identity = f"{GROUP_ID}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
    principal = amlite.arm("GET", made_identity, version="2023-01-31").json()["properties"]["principalId"]
    assert assigned["properties"]["principalId"] == principal


@pytest.mark.parametrize(
    ("source", "parameters", "said"),
    [
        (template(account("x", dependsOn=["y"])), {}, "'y' is not defined in the template"),
        (template(account("[parameters('p')]")), {}, "template parameter 'p', which is not found"),
        (template(parameters={"p": {"type": "string"}}), {}, "'p' is not provided"),
        (template(parameters={"p": {"type": "int"}}), {"p": {"value": "1"}}, "is not valid: 'p' is of type 'int'"),
        (template(parameters={"p": {"type": "string", "allowedValues": ["a"]}}), {"p": {"value": "b"}}, "allowed"),
        (template(), {"q": {"value": 1}}, "'q' in the parameters file are not valid"),
        (template(account("x", copy={"name": "c", "count": 2})), {}, "'copy' in 'resources' is not part of this"),
        (template(account("x", properties={"a": [{"Copy": []}]})), {}, "'copy' in 'resources' is not part of this"),
        (template(variables={"v": {"copy": []}}), {}, "'copy' in 'variables' is not part of this local Azure"),
        (template(outputs={"o": {"type": "array", "copy": {}}}), {}, "'copy' in 'outputs' is not part of this"),
        (template(functions=[{"namespace": "n"}]), {}, "'functions' is not part of this local Azure"),
        (template(languageVersion="2.0"), {}, "'languageVersion' is not part of this local Azure"),
        (template(inner(mode="Complete")), {}, "'inner', properties.mode: this local Azure has the mode Incremental"),
        (template(inner(parametersLink={"uri": "u"})), {}, "'inner', properties.parametersLink: not part of this"),
        (template(parameters={"p": {"type": "string", "minLength": 2}}), {"p": {"value": "a"}}, "or equal to '2'"),
        (template(parameters={"p": {"type": "int", "maxValue": 2}}), {"p": {"value": 3}}, "or equal to '2'"),
        (template(account("[variables('v')]"), variables={"v": "[variables('v')]"}), {}, "refers to itself"),
        (template(account("[telepathy()]")), {}, "'telepathy', which is not part of this local Azure"),
        (template(account("x", dependsOn=["x2"]), account("x2", dependsOn=["x"])), {}, "Circular dependency"),
        (template({**account("x"), "type": "Microsoft.Magic/wands"}), {}, "Microsoft.Magic/wands"),
        (template(account("a/b")), {}, "incorrect segment lengths"),
    ],
)
def test_a_wrong_template_is_refused_before_anything_is_deployed(
    client: Any, source: Json, parameters: Json, said: str
) -> None:
    """Source: "Troubleshoot common Azure deployment errors", InvalidTemplate."""
    properties = {"mode": "Incremental", "template": source, "parameters": parameters}
    for ask in (client.begin_create_or_update, client.begin_validate):
        with pytest.raises(HttpResponseError, match=r"InvalidTemplate|InvalidResourceType") as refused:
            ask(GROUP, "wrong", {"properties": properties})
        assert said in str(refused.value)


def test_a_failed_resource_fails_the_deployment_with_its_error(amlite: LocalAzure, client: Any) -> None:
    with pytest.raises(HttpResponseError, match=r"DeploymentFailed[\s\S]*InvalidResourceName"):
        deploy(client, template(account("UPPER")))
    failed = max(client.list_by_resource_group(GROUP), key=lambda each: each.properties.timestamp)
    operations = amlite.arm("GET", f"{failed.id}/operations", version=VERSION).json()["value"]
    assert operations[0]["properties"]["statusMessage"]["error"]["code"] == "InvalidResourceName"


def test_a_deployment_needs_the_permissions_of_its_resources(amlite: LocalAzure) -> None:
    """Contributor may not assign roles, with a template neither."""
    credential = amlite.application(("Contributor", GROUP_ID))
    assignment = {
        "type": "Microsoft.Authorization/roleAssignments", "apiVersion": "2022-04-01", "name": str(uuid.uuid4()),
        "properties": {"roleDefinitionId": "x", "principalId": "y"},
    }  # fmt: skip
    body = {"properties": {"mode": "Incremental", "template": template(assignment)}}
    path = f"{GROUP_ID}/providers/Microsoft.Resources/deployments/d"
    answer = amlite.arm("PUT", path, body, VERSION, credential=credential)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "InvalidTemplateDeployment")
    assert "'Microsoft.Authorization/roleAssignments/write'" in answer.json()["error"]["message"]


def test_workspaces_begin_create_makes_a_workspace_and_what_it_needs(
    azureml_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from azure.ai.ml.constants._common import LROConfigurations
    from azure.ai.ml.entities import Workspace as Wanted

    monkeypatch.setattr(LROConfigurations, "SLEEP_TIME", 0.1)
    monkeypatch.setattr(LROConfigurations, "POLL_INTERVAL", 0.1)
    client = azureml_workspace.client()
    name = f"mlw-{uuid.uuid4().hex[:8]}"
    made = client.workspaces.begin_create(Wanted(name=name, location="westeurope", tags={"a": "b"})).result()
    assert (made.name, made.tags["a"], made.public_network_access) == (name, "b", "Enabled")
    for part in (made.storage_account, made.key_vault, made.application_insights):
        assert azureml_workspace.azure.arm("GET", part, version="2023-01-01").status_code == 200
    assert [each.name for each in client.workspaces.list()].count(name) == 1
    client.workspaces.begin_delete(name, delete_dependent_resources=True, permanently_delete=True).result()
    for part in (made.storage_account, made.key_vault, made.application_insights):
        assert azureml_workspace.azure.arm("GET", part, version="2023-01-01").status_code == 404


@pytest.mark.parametrize(
    "properties",
    [
        {}, {"template": []}, {"template": {"resources": {}}}, {"template": template(1)}, {"template": template({})},
        {"template": template(account("x", dependsOn={}))}, {"mode": "Complete"},
        {"template": template(parameters=[]), "parameters": 1}, {"template": template(parameters={"p": 1})},
        {"template": template(account("[" + "not(" * 2000 + "true" + ")" * 2000 + "]"))},
    ],
)  # fmt: skip
def test_templates_of_no_shape_are_refused(amlite: LocalAzure, properties: Json) -> None:
    path = f"{GROUP_ID}/providers/Microsoft.Resources/deployments/shapeless"
    answer = amlite.arm("PUT", path, {"properties": {"template": template(), **properties}}, VERSION)
    wanted = 400 if properties else 201  # a template may have no resources
    assert answer.status_code == wanted, answer.text


@pytest.mark.parametrize(
    ("method", "path", "properties", "status", "said"),
    [
        ("PUT", "d", {"mode": "Complete"}, 400, "properties.mode: this local Azure has the mode Incremental only"),
        ("PUT", "d", {"onErrorDeployment": {"type": "LastSuccessful"}}, 400, "properties.onErrorDeployment: not part"),
        ("PUT", "d", {"parametersLink": {"uri": "https://x"}}, 400, "properties.parametersLink: not part of this"),
        ("POST", "d/whatIf", {}, 501, "what-if is not part of this local Azure"),
    ],
)
def test_what_a_deployment_would_not_get_is_refused(
    amlite: LocalAzure, method: str, path: str, properties: Json, status: int, said: str
) -> None:
    place = f"{GROUP_ID}/providers/Microsoft.Resources/deployments/{path}"
    answer = amlite.arm(method, place, {"properties": {"template": template(), **properties}}, VERSION)
    assert (answer.status_code, said in answer.text) == (status, True), answer.text


def test_deployments_to_a_subscription_are_refused(amlite: LocalAzure) -> None:
    place = f"{GROUP_ID.partition('/resourceGroups/')[0]}/providers/Microsoft.Resources/deployments/d"
    answer = amlite.arm("PUT", place, {"location": "westeurope", "properties": {"template": template()}}, VERSION)
    assert (answer.status_code, "deploy to a resource group" in answer.text) == (501, True), answer.text


class Caller:
    """A contributor to one resource group, who deploys templates to it."""

    def __init__(self, azure: LocalAzure, *more: tuple[str, str]) -> None:
        self.azure = azure
        self.group = f"{GROUP_ID}-{uuid.uuid4().hex[:8]}"
        azure.put(self.group, {"location": "westeurope"}, "2021-04-01")
        self.credential = azure.application(("Contributor", self.group), *more)

    def deployed(self, source: Json, name: str = "d") -> Json:
        """Return the properties of a deployment after its end, or the error of its refusal."""
        path = f"{self.group}/providers/Microsoft.Resources/deployments/{name}"
        body = {"properties": {"mode": "Incremental", "template": source}}
        answer = self.azure.arm("PUT", path, body, VERSION, credential=self.credential)
        if answer.status_code >= 400:
            return dict(answer.json())
        self.azure.finish(answer)
        return dict(self.azure.arm("GET", path, version=VERSION).json()["properties"])


@pytest.fixture(scope="module")
def caller(amlite: LocalAzure) -> Caller:
    return Caller(amlite)


@pytest.mark.attack
@pytest.mark.parametrize(
    "text", ["{0.clientId}", "{0.__missing__.__globals__}", "{0[clientId]}", "{0!r}", "{0:>9999999999}", "{", "{1}"]
)
def test_format_inserts_values_and_nothing_inside_them(caller: Caller, text: str) -> None:
    given = f"[format('{text}', reference('{GROUP_ID}'))]"
    answer = caller.deployed(template(parameters={"p": {"type": "string", "defaultValue": given}}))
    assert answer["error"]["code"] == "InvalidTemplate"
    assert "which cannot take its arguments" in answer["error"]["message"]


def test_format_inserts_values_by_their_numbers(caller: Caller) -> None:
    given = "[format('{1}-{0}-{{x}}', 1, createArray(true), 'unused')]"
    found = caller.deployed(template(parameters={"p": {"type": "string", "defaultValue": given}}))
    assert found["parameters"]["p"]["value"] == "[true]-1-{x}"


@pytest.mark.attack
def test_a_template_refers_only_to_what_its_caller_may_read(caller: Caller, azureml_workspace: Workspace) -> None:
    read = f"[reference('{azureml_workspace.id}', '2024-04-01', 'full')]"
    found = caller.deployed(template(outputs={"stolen": {"type": "object", "value": read}}))
    assert found["provisioningState"] == "Failed"
    assert "does not have authorization to perform action" in found["error"]["message"]
    assert "outputs" not in found


def test_a_template_refers_to_the_outputs_of_another_deployment(caller: Caller) -> None:
    caller.deployed(template(outputs={"name": {"type": "string", "value": "found"}}), "first")
    there = "[reference(resourceId('Microsoft.Resources/deployments', 'first')).outputs.name.value]"
    found = caller.deployed(template(outputs={"again": {"type": "string", "value": there}}), "second")
    assert found["outputs"]["again"]["value"] == "found"


@pytest.mark.attack
@pytest.mark.parametrize("kept", ["connections/conn", "datastores/store", "deployment"])
def test_a_template_refers_to_no_secrets_that_its_caller_may_not_list(
    amlite: LocalAzure, azureml_workspace: Workspace, kept: str
) -> None:
    """A service keeps them below the resource. Whoever may read it, may read everything below it."""
    workspace, name = azureml_workspace, f"s{uuid.uuid4().hex[:8]}"
    place = {
        "connections/conn": f"{workspace.id}/connections/{name}",
        "datastores/store": f"{workspace.id}/datastores/{name}",
        "deployment": f"{GROUP_ID}/providers/Microsoft.Resources/deployments/{name}",
    }[kept]
    body: Json = {
        "connections/conn": {
            "category": "Git", "authType": "PAT", "target": "https://example.com", "credentials": {"pat": "swordfish"},
        },
        "datastores/store": {
            "datastoreType": "AzureBlob", "accountName": "others", "containerName": "data",
            "credentials": {
                "credentialsType": "Sas", "secrets": {"secretsType": "Sas", "sasToken": "swordfish"},
            },
        },
        "deployment": {
            "mode": "Incremental", "template": template(parameters={"key": {"type": "secureString"}}),
            "parameters": {"key": {"value": "swordfish"}},
        },
    }[kept]  # fmt: skip
    amlite.put(place, {"properties": body}, VERSION if kept == "deployment" else ML_VERSION)
    reader = Caller(amlite, ("Reader", GROUP_ID))
    below = f"{place}/{'state' if kept == 'deployment' else 'secrets'}"
    found = reader.deployed(
        template(outputs={"stolen": {"type": "object", "value": f"[reference('{below}', '2024-04-01', 'full')]"}})
    )
    assert found["provisioningState"] == "Failed"
    assert "swordfish" not in str(found)
    shown = reader.deployed(
        template(outputs={"read": {"type": "string", "value": f"[reference('{workspace.id}', '', 'full').name]"}})
    )
    assert shown["outputs"]["read"]["value"] == workspace.name


@pytest.mark.attack
def test_a_place_that_changes_while_a_template_runs_needs_permissions_too(amlite: LocalAzure, caller: Caller) -> None:
    """Before a deployment runs, `reference` returns nothing, and the identity would be put into the caller's group."""
    own = f"{caller.group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/own"
    amlite.put(own, {"location": "westeurope"}, "2023-01-31")
    client_id = amlite.arm("GET", own, version="2023-01-31").json()["properties"]["clientId"]
    name = f"id-{uuid.uuid4().hex[:8]}"
    place = f"[if(equals(reference('{own}').clientId, '{client_id}'), '{GROUP_ID}', '{caller.group}')]"
    found = caller.deployed(template(identity(name, scope=place)))
    assert found["provisioningState"] == "Failed"
    assert "'Microsoft.ManagedIdentity/userAssignedIdentities/write' at scope" in found["error"]["message"]
    there = f"{GROUP_ID}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
    assert amlite.arm("GET", there, version="2023-01-31").status_code == 404


@pytest.mark.attack
@pytest.mark.parametrize(
    ("part", "given", "told"),
    [
        ("parameters", {f"p{each}": {"type": "int", "defaultValue": 1} for each in range(257)}, "Limit: '256'"),
        ("variables", {f"v{each}": each for each in range(257)}, "Limit: '256'"),
        ("outputs", {f"o{each}": {"type": "int", "value": 1} for each in range(65)}, "Limit: '64'"),
        ("resources", [account(f"a{each}") for each in range(801)], "Limit: '800'"),
        (
            "resources",
            [nested(f"n{group}", [account(f"a{each}") for each in range(90)]) for group in range(9)],
            "Limit: '800' and actual: '801'",
        ),
        ("resources", [{**account("a"), "tags": {"t": ["[utcNow()]"] * 100_000}}], "takes too long"),
    ],
)
def test_a_template_has_limits(caller: Caller, part: str, given: Any, told: str) -> None:
    """Amlite answers nobody else while it reads a template: without them, one of 1 MB took minutes."""
    source = {**template(), part: given}
    assert told in caller.deployed(source)["error"]["message"]


@pytest.mark.attack
def test_a_large_template_takes_seconds(caller: Caller) -> None:
    numbers = ",".join(map(str, range(40_000)))
    union = "[length(union(split(variables('numbers'), ','), split(variables('numbers'), ',')))]"
    names = [identity(f"u{each}", tags={"first": "[reference('u0').clientId]"}) for each in range(1, 400)]
    source = template(
        identity("u0", tags={"count": "[string(variables('count'))]"}), *names,
        variables={"numbers": numbers, "count": union},
    )  # fmt: skip
    path = f"{caller.group}/providers/Microsoft.Resources/deployments/large/validate"
    body = {"properties": {"mode": "Incremental", "template": source}}
    began = time.monotonic()
    assert caller.azure.arm("POST", path, body, VERSION, credential=caller.credential).status_code == 200
    assert time.monotonic() - began < 30


def test_a_union_has_each_item_once_in_the_order_of_the_first_ones(caller: Caller) -> None:
    given = "[string(union(createArray(2, 'b', createArray(1)), createArray('b', createArray(1), 1), createArray(2)))]"
    found = caller.deployed(template(parameters={"p": {"type": "string", "defaultValue": given}}))
    assert found["parameters"]["p"]["value"] == '[2, "b", [1], 1]'


@pytest.mark.attack
def test_no_reader_of_a_deployment_sees_its_secrets(caller: Caller) -> None:
    secret = {"type": "secureString", "defaultValue": "swordfish"}
    outputs = {
        "text": {"type": "SecureString", "value": "[parameters('key')]"},
        "object": {"type": "secureObject", "value": {"key": "[parameters('key')]"}},
        "open": {"type": "string", "value": "herring"},
    }
    found = caller.deployed(template(parameters={"key": secret}, outputs=outputs))
    assert found["outputs"] == {
        "text": {"type": "SecureString"}, "object": {"type": "secureObject"},
        "open": {"type": "string", "value": "herring"},
    }  # fmt: skip
    assert "swordfish" not in str(found)
    refused = caller.deployed(template(parameters={"key": {**secret, "allowedValues": ["one", "two"]}}))
    assert "swordfish" not in str(refused)


@pytest.mark.attack
def test_variables_that_use_each_other_are_evaluated_once(caller: Caller) -> None:
    """With a name of 20 characters, the text has 20 TB."""
    doubled = {f"v{each}": f"[concat(variables('v{each - 1}'), variables('v{each - 1}'))]" for each in range(1, 40)}
    source = template(account("[variables('v39')]"), variables={"v0": "a" * 20, **doubled})
    assert "more than 10000000 characters" in caller.deployed(source)["error"]["message"]
    source["variables"]["v0"] = ""
    assert "error" in caller.deployed(source)
