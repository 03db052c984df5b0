"""Managed virtual networks: outbound rules, provisioning, and what nodes reach. By the real client where it has a call.

Microsoft's pages: how-to-managed-network, how-to-managed-network-compute, how-to-secure-online-endpoint and
how-to-troubleshoot-online-endpoints (WorkspaceManagedNetworkNotReady).
"""

from __future__ import annotations

import pytest
from azure.core.exceptions import HttpResponseError

from amlite.testing import LocalAzure, Workspace
from amlite_fixtures.azure import GROUP_ID, Json, add_cluster
from amlite_fixtures.jobs import CLUSTER, equip, history, submit, until

APPROVED, INTERNET = "AllowOnlyApprovedOutbound", "AllowInternetOutbound"
OF_WORKSPACE = ("storageAccount", "keyVault", "applicationInsights", "containerRegistry")


def isolated(
    azure: LocalAzure, name: str, mode: str = APPROVED, *, sku: str = "Premium", **network: object
) -> Workspace:
    """Return a new workspace with a managed network, on a registry of a SKU."""
    made = Workspace.create(azure, name)
    body = azure.arm("GET", made.id).json()["properties"]
    azure.put(body["containerRegistry"], {"location": "westeurope", "sku": {"name": sku}}, "2023-07-01")
    change(made, managedNetwork={"isolationMode": mode, **network})
    return made


def change(workspace: Workspace, **properties: object) -> None:
    """Update properties of a workspace."""
    answer = workspace.azure.arm("PATCH", workspace.id, {"properties": properties})
    assert answer.status_code in (200, 202), answer.text
    workspace.azure.finish(answer)


def network(workspace: Workspace) -> Json:
    """Return the network that a workspace shows."""
    found: Json = workspace.azure.arm("GET", workspace.id).json()["properties"]["managedNetwork"]
    return found


def rule(workspace: Workspace, name: str, **properties: object) -> Json:
    """Write an outbound rule."""
    return workspace.azure.put(f"{workspace.id}/outboundRules/{name}", {"properties": properties})


def refused(workspace: Workspace, path: str, body: Json) -> str:
    """Return the message with which a request to write is refused."""
    answer = workspace.azure.arm("PUT", f"{workspace.id}/{path}", body)
    assert answer.status_code == 400, answer.text
    return str(answer.json()["error"]["message"])


def private_endpoint(workspace: Workspace, subresource: str) -> Json:
    account = workspace.azure.arm("GET", workspace.id).json()["properties"]["storageAccount"]
    destination = {"serviceResourceId": account, "subresourceTarget": subresource}
    return {"type": "PrivateEndpoint", "destination": destination}


def test_azure_adds_the_required_rules(amlite: LocalAzure) -> None:
    made = isolated(amlite, "mlw-required")
    found = network(made)
    assert (found["isolationMode"], found["status"]) == (APPROVED, {"status": "Inactive", "sparkReady": False})
    rules = found["outboundRules"]
    assert {each["category"] for each in rules.values()} == {"Required"}
    targets = {
        (each["destination"]["serviceResourceId"].rpartition("/")[2], each["destination"]["subresourceTarget"])
        for each in rules.values()
        if each["type"] == "PrivateEndpoint"
    }
    names = made.layout
    assert targets == {
        (names.storage_account, "blob"), (names.storage_account, "file"), (names.key_vault, "vault"),
        (names.container_registry, "registry"), (names.name, "amlworkspace"),
    }  # fmt: skip
    tags = {each["destination"]["serviceTag"] for each in rules.values() if each["type"] == "ServiceTag"}
    assert tags >= {"AzureActiveDirectory", "AzureMachineLearning", "MicrosoftContainerRegistry.westeurope"}
    name = next(iter(rules))
    assert "required" in refused(made, f"outboundRules/{name}", {"properties": private_endpoint(made, "blob")})
    assert made.azure.arm("DELETE", f"{made.id}/outboundRules/{name}").status_code == 400


def test_internet_outbound_needs_private_endpoints_to_closed_resources_alone(amlite: LocalAzure) -> None:
    made = isolated(amlite, "mlw-internet", INTERNET)
    assert network(made)["outboundRules"] == {}
    said = refused(made, "outboundRules/host", {"properties": {"type": "FQDN", "destination": "*.contoso.com"}})
    assert APPROVED in said
    change(made, publicNetworkAccess="Disabled")
    assert [each["destination"]["subresourceTarget"] for each in network(made)["outboundRules"].values()] == [
        "amlworkspace"
    ]


def test_rules_are_created_listed_updated_and_deleted(amlite: LocalAzure) -> None:
    from azure.ai.ml.entities import FqdnDestination, PrivateEndpointDestination, ServiceTagDestination

    made = isolated(amlite, "mlw-rules")
    rules = made.client().workspace_outbound_rules
    account = amlite.arm("GET", made.id).json()["properties"]["storageAccount"]
    rules.begin_create(made.name, FqdnDestination(name="host", destination="*.contoso.com")).result()
    tag = ServiceTagDestination(name="tag", service_tag="DataFactory", protocol="TCP", port_ranges="80, 8080-8089")
    rules.begin_create(made.name, tag).result()
    queue = PrivateEndpointDestination(name="queue", service_resource_id=account, subresource_target="queue")
    assert rules.begin_create(made.name, queue).result().category == "UserDefined"
    rules.begin_update(made.name, FqdnDestination(name="host", destination="docs.contoso.com")).result()
    assert rules.get(made.name, "host").destination == "docs.contoso.com"
    own = {each.name for each in rules.list(made.name) if each.category == "UserDefined"}
    assert own == {"host", "tag", "queue"}
    assert network(made)["outboundRules"]["host"]["destination"] == "docs.contoso.com"
    rules.begin_remove(made.name, "host").result()
    assert "host" not in network(made)["outboundRules"]
    # An update of the workspace removes no rule (test_workspace_operations of azure-ai-ml asserts this of Azure).
    change(made, description="changed", managedNetwork={"outboundRules": {}})
    assert {"tag", "queue"} <= network(made)["outboundRules"].keys()


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"type": "FQDN", "destination": "contoso"}, "fully qualified"),
        ({"type": "FQDN", "destination": "x.blob.core.windows.net"}, "private endpoint"),
        ({"type": "ServiceTag", "destination": {"serviceTag": "DataFactory"}}, "protocol"),
        ({"type": "PrivateEndpoint", "destination": {"serviceResourceId": "none"}}, "serviceResourceId"),
        (
            {
                "type": "PrivateEndpoint",
                "destination": {
                    "serviceResourceId": f"{GROUP_ID}/providers/Microsoft.Search/searchServices/s",
                    "subresourceTarget": "search",
                },
            },
            "allowed: searchService",
        ),
        ({"type": "Tunnel"}, "Tunnel"),
    ],
)
def test_rules_are_refused(amlite: LocalAzure, properties: Json, said: str) -> None:
    made = isolated(amlite, "mlw-refused")
    assert said in refused(made, "outboundRules/wrong", {"properties": properties})


def test_a_second_private_endpoint_to_the_same_place_is_refused(amlite: LocalAzure) -> None:
    made = isolated(amlite, "mlw-second")
    said = refused(made, "outboundRules/mine", {"properties": private_endpoint(made, "blob")})
    assert "same destination" in said


def test_of_two_rules_written_at_once_one_is_lost(amlite: LocalAzure) -> None:
    """See https://github.com/Azure/terraform-provider-azapi/issues/453."""
    made = isolated(amlite, "mlw-at-once")
    amlite.add_fault(f"PUT *{made.id}/outboundRules/*", "lro-slow", seconds=60, times=2)
    answers = [
        amlite.arm("PUT", f"{made.id}/outboundRules/{name}", {"properties": private_endpoint(made, name)})
        for name in ("queue", "table")
    ]
    amlite.advance(60)
    for answer in answers:
        amlite.finish(answer)
    assert len({"queue", "table"} & network(made)["outboundRules"].keys()) == 1


def test_provisioning_makes_the_rules_active(amlite: LocalAzure) -> None:
    made = isolated(amlite, "mlw-provisioned")
    rule(made, "queue", **private_endpoint(made, "queue"))
    amlite.add_fault(f"POST *{made.id}/provisionManagedNetwork", "lro-slow", seconds=1800)
    poller = made.client().workspaces.begin_provision_network(workspace_name=made.name)
    assert network(made)["status"]["status"] == "Inactive"
    amlite.advance(1800)
    assert poller.result().status == "Active"
    assert {each["status"] for each in network(made)["outboundRules"].values()} == {"Active"}
    assert rule(made, "table", **private_endpoint(made, "table"))["properties"]["status"] == "Active"
    # Again is not an error.
    assert made.client().workspaces.begin_provision_network(workspace_name=made.name).result().status == "Active"


def test_provisioning_needs_a_premium_registry(amlite: LocalAzure) -> None:
    made = isolated(amlite, "mlw-basic", sku="Basic")
    with pytest.raises(HttpResponseError, match="Premium"):
        made.client().workspaces.begin_provision_network(workspace_name=made.name).result()
    assert network(made)["status"]["status"] == "Inactive"


def test_provisioning_needs_a_network(azureml_workspace: Workspace) -> None:
    answer = azureml_workspace.azure.arm("POST", f"{azureml_workspace.id}/provisionManagedNetwork", {})
    assert answer.status_code == 400
    said = refused(azureml_workspace, "outboundRules/x", {"properties": {"type": "FQDN", "destination": "a.b"}})
    assert "no managed network" in said


def test_a_workspace_may_be_created_with_its_network_provisioned(amlite: LocalAzure) -> None:
    made = Workspace.create(amlite, "mlw-now-parts")
    parts = amlite.arm("GET", made.id).json()["properties"]
    properties: Json = {key: parts[key] for key in OF_WORKSPACE}
    amlite.put(properties["containerRegistry"], {"location": "westeurope", "sku": {"name": "Premium"}}, "2023-07-01")
    inline = {"host": {"type": "FQDN", "destination": "*.contoso.com"}}
    properties |= {
        "provisionNetworkNow": True,
        "managedNetwork": {"isolationMode": APPROVED, "outboundRules": inline},
    }
    path = made.id.replace("mlw-now-parts", "mlw-now")
    found = amlite.put(path, {"location": "westeurope", "properties": properties})["properties"]["managedNetwork"]
    assert found["status"]["status"] == "Active"
    assert found["outboundRules"]["host"]["status"] == "Active"


def test_isolation_only_becomes_stricter(amlite: LocalAzure) -> None:
    made = isolated(amlite, "mlw-stricter", INTERNET)
    change(made, managedNetwork={"isolationMode": APPROVED})
    for mode in ("Disabled", INTERNET):
        answer = amlite.arm("PATCH", made.id, {"properties": {"managedNetwork": {"isolationMode": mode}}})
        assert "cannot be changed" in answer.json()["error"]["message"]


def test_a_network_is_not_enabled_around_computes(amlite: LocalAzure) -> None:
    made = Workspace.create(amlite, "mlw-late")
    add_cluster(made)
    body = {"properties": {"managedNetwork": {"isolationMode": APPROVED}}}
    answer = amlite.arm("PATCH", made.id, body)
    assert answer.status_code == 400
    assert "compute 'cpu'" in answer.json()["error"]["message"]


def cluster(**properties: object) -> Json:
    inner = {"vmSize": "Standard_DS3_v2", "scaleSettings": {"minNodeCount": 0, "maxNodeCount": 1}, **properties}
    return {"location": "westeurope", "properties": {"computeType": "AmlCompute", "properties": inner}}


def test_nodes_have_public_addresses_unless_told_otherwise(amlite: LocalAzure) -> None:
    made = isolated(amlite, "mlw-nodes")
    for name, given, public in (("open", {}, True), ("closed", {"enableNodePublicIp": False}, False)):
        found = amlite.put(f"{made.id}/computes/{name}", cluster(**given))["properties"]["properties"]
        assert found["enableNodePublicIp"] is public
    attached = {
        "computeType": "Kubernetes",
        "resourceId": f"{GROUP_ID}/providers/Microsoft.ContainerService/managedClusters/c",
    }
    said = refused(made, "computes/attached", {"location": "westeurope", "properties": attached})
    assert "not supported in a managed virtual network" in said


def test_nodes_without_public_addresses_need_a_network(azureml_workspace: Workspace) -> None:
    said = refused(azureml_workspace, "computes/closed", cluster(enableNodePublicIp=False))
    assert "enableNodePublicIp" in said


def test_an_online_deployment_needs_a_provisioned_network(amlite: LocalAzure) -> None:
    made = isolated(amlite, "mlw-not-ready")
    endpoint = f"{made.id}/onlineEndpoints/not-ready"
    amlite.put(endpoint, {"location": "westeurope", "properties": {"authMode": "Key"}})
    model = {
        "properties": {"modelUri": f"https://{made.account}.blob.core.windows.net/m/m", "modelType": "mlflow_model"}
    }
    assert amlite.arm("PUT", f"{made.id}/models/m/versions/1", model).status_code == 201
    deployment = {
        "location": "westeurope",
        "sku": {"name": "Default", "capacity": 1},
        "properties": {"endpointComputeType": "Managed", "model": "azureml:m:1", "instanceType": "Standard_DS3_v2"},
    }
    answer = amlite.arm("PUT", f"{endpoint}/deployments/blue", deployment)
    assert answer.status_code == 201, answer.text
    assert amlite.finish(answer)["error"]["code"] == "WorkspaceManagedNetworkNotReady"


def close(azure: LocalAzure, id: str, version: str, rules: str) -> None:
    """Let a storage account or container registry take requests from some addresses only."""
    answer = azure.arm("PATCH", id, {"properties": {rules: {"defaultAction": "Deny"}}}, version)
    assert answer.status_code in (200, 202), answer.text
    azure.finish(answer)


def ends(workspace: Workspace) -> str:
    """Run a job on the cluster and return how it ends: `Completed`, or the message of its error."""
    client = workspace.client()
    name = submit(client, "true")
    if (status := until(client, name).status) == "Completed":
        return "Completed"
    assert status == "Failed"
    return str(history(client, name).error.error.message)


def test_nodes_outside_a_network_do_not_reach_a_closed_account(amlite: LocalAzure) -> None:
    made = equip(Workspace.create(amlite, "mlw-closed"))
    account = amlite.arm("GET", made.id).json()["properties"]["storageAccount"]
    close(amlite, account, "2024-01-01", "networkAcls")
    assert "not authorized to perform this operation" in ends(made)


def test_the_first_node_has_the_network_provisioned_and_reaches_closed_resources(amlite: LocalAzure) -> None:
    made = isolated(amlite, "mlw-first-node")
    equip(made)
    parts = amlite.arm("GET", made.id).json()["properties"]
    close(amlite, parts["storageAccount"], "2024-01-01", "networkAcls")
    assert network(made)["status"]["status"] == "Inactive"
    assert ends(made) == "Completed"
    assert network(made)["status"]["status"] == "Active"
    close(amlite, parts["containerRegistry"], "2023-07-01", "networkRuleSet")
    assert "builds no images" in ends(made)
    change(made, imageBuildCompute=CLUSTER)
    assert "FQDN" in ends(made)
    rule(made, "packages", type="FQDN", destination="*.contoso.com")
    assert ends(made) == "Completed"


def test_the_cluster_that_builds_images_needs_the_right_to_push(amlite: LocalAzure) -> None:
    made = Workspace.create(amlite, "mlw-push", identity=True)
    identity = f"{GROUP_ID}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/builder"
    who = amlite.put(identity, {"location": "westeurope"}, "2023-01-31")["properties"]["principalId"]
    parts = amlite.arm("GET", made.id).json()["properties"]
    amlite.assign("Storage Blob Data Contributor", parts["storageAccount"], who)
    equip(made, identity)
    change(made, imageBuildCompute=CLUSTER)
    assert "AcrPush" in ends(made)
    amlite.assign("AcrPush", parts["containerRegistry"], who)
    assert ends(made) == "Completed"
