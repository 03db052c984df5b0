"""The managed network under the mock engine: its rules, its provisioning, and what waits for it.

Microsoft's pages: how-to-managed-network, how-to-managed-network-compute and concept-secure-online-endpoint.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from infra.settings.configuration import ConfigurationError
from tests.unit.infra.deployed import Deployment, Registered, deploy

GUID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
LAKE = f"/subscriptions/{GUID}/resourceGroups/rg-data/providers/Microsoft.Storage/storageAccounts/lake"
IP_RANGES = ["203.0.113.0/24"]
RULE = "machinelearningservices:ManagedNetworkSettingsRule"


def deployed(stack: str = "prod", **network: Any) -> Deployment:
    return deploy(stack, {"azureml-platform:network": json.dumps(network)})


def rules(deployment: Deployment) -> dict[str, dict[str, Any]]:
    return {rule.inputs["ruleName"]: rule.inputs["properties"] for rule in deployment.of(RULE)}


def provisioned(deployment: Deployment) -> Registered:
    (network,) = [each for each in deployment.resources if each.type == "pulumi-python:dynamic/azureml:ManagedNetwork"]
    return network


def test_production_reaches_queues_and_tables_which_azure_adds_no_endpoints_to() -> None:
    found = rules(deploy("prod"))
    assert sorted(found) == ["storage-queue", "storage-table"]
    for rule in found.values():
        assert rule["type"] == "PrivateEndpoint"
        assert "storage:StorageAccount" in rule["destination"]["serviceResourceId"]


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ({"isolation": "AllowInternetOutbound"}, []),
        ({"isolation": "AllowInternetOutbound", "publicAccess": False}, ["storage-queue", "storage-table"]),
        (
            {"isolation": "AllowInternetOutbound", "allowedIpRanges": IP_RANGES},
            ["registry-registry", "storage-blob", "storage-file", "storage-queue", "storage-table", "vault-vault"],
        ),
    ],
)
def test_endpoints_lead_where_azure_adds_none_and_nodes_need_one(network: dict[str, Any], expected: list[str]) -> None:
    assert sorted(rules(deployed(**network))) == expected


def test_the_settings_add_rules() -> None:
    outbound = {
        "hosts": ["*.contoso.com"],
        "serviceTags": [{"tag": "DataFactory", "ports": "443, 8080-8089"}, {"tag": "Sql.WestEurope", "protocol": "*"}],
        "privateEndpoints": [{"resourceId": LAKE, "subresource": "dfs"}],
    }
    found = rules(deployed(isolation="AllowOnlyApprovedOutbound", outbound=outbound, firewallSku="Basic"))
    assert found["host-any-contoso-com"] == {"type": "FQDN", "category": "UserDefined", "destination": "*.contoso.com"}
    assert found["tag-DataFactory-TCP"]["destination"] == {
        "serviceTag": "DataFactory",
        "protocol": "TCP",
        "portRanges": "443, 8080-8089",
    }
    assert found["tag-Sql-WestEurope-any"]["destination"]["protocol"] == "*"
    assert found["private-lake-dfs"]["destination"] == {"serviceResourceId": LAKE, "subresourceTarget": "dfs"}


def test_rules_are_written_one_after_the_other() -> None:
    """Of rules that are written at once, Azure loses some: https://github.com/Azure/terraform-provider-azapi/issues/453."""
    written = deployed(isolation="AllowOnlyApprovedOutbound", outbound={"hosts": ["a.contoso.com", "b.contoso.com"]})
    chain = written.of(RULE)
    assert len(chain) == 4
    for before, after in itertools.pairwise(chain):
        assert before.urn in after.depends_on


def test_the_network_is_provisioned_before_what_runs_in_it() -> None:
    """Otherwise the first online deployment ends with WorkspaceManagedNetworkNotReady."""
    deployment = deploy("prod")
    network = provisioned(deployment)
    assert network.inputs["isolation"] == "AllowOnlyApprovedOutbound"
    assert network.inputs["name"] == deployment.one("machinelearningservices:Workspace").inputs["workspaceName"]
    assert deployment.of(RULE)[-1].urn in network.depends_on
    cluster = deployment.one("machinelearningservices:Compute")
    assert network.urn in cluster.depends_on
    (endpoint,) = [each for each in deployment.resources if each.name == "endpoint-flight-delay"]
    assert cluster.urn in endpoint.depends_on


def test_a_workspace_names_no_rules_so_that_its_updates_remove_none() -> None:
    workspace = deploy("prod").one("machinelearningservices:Workspace").inputs
    assert workspace["managedNetwork"].keys() <= {"isolationMode", "firewallSku", "enableNetworkMonitor"}


def test_nodes_in_a_managed_network_have_no_public_addresses() -> None:
    """Azure's default is true: how-to-managed-network-compute."""
    for stack, expected in (("prod", False), ("dev", True)):
        inner = deploy(stack).one("machinelearningservices:Compute").inputs["properties"]["properties"]
        assert inner["enableNodePublicIp"] is expected


def test_without_isolation_there_is_no_network() -> None:
    deployment = deploy("dev")
    assert deployment.of(RULE) == []
    assert [each for each in deployment.resources if each.type.endswith("ManagedNetwork")] == []


@pytest.mark.parametrize(
    ("network", "access"),
    [
        ({"publicAccess": True}, None),
        ({"publicAccess": False}, "disabled"),
        ({"publicAccess": False, "publicEndpoints": True}, None),
        ({"publicAccess": True, "publicEndpoints": False}, "disabled"),
    ],
)
def test_endpoints_are_as_public_as_the_platform_unless_told_otherwise(
    network: dict[str, bool], access: str | None
) -> None:
    outbound = {"hosts": ["packages.contoso.com"]}
    deployment = deployed(isolation="AllowOnlyApprovedOutbound", outbound=outbound, **network)
    (endpoint,) = [each for each in deployment.resources if each.name == "endpoint-flight-delay"]
    assert endpoint.inputs["definition"].get("public_network_access") == access


def test_a_cluster_that_builds_images_must_reach_hosts() -> None:
    """The compute must reach the package repositories: "Configure image builds" in how-to-managed-network."""
    closed = {"isolation": "AllowOnlyApprovedOutbound", "allowedIpRanges": IP_RANGES}
    with pytest.raises(ConfigurationError, match=r"ml/environments/serving/environment\.yml") as error:
        deployed(**closed)
    assert "training" not in str(error.value)
    assert deployed(**closed, outbound={"hosts": ["packages.contoso.com"]}).of(RULE)
    assert deployed(**closed | {"isolation": "AllowInternetOutbound"}).of(RULE)
