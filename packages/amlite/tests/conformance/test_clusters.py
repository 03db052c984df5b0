"""Managed Kubernetes clusters: the real client, and what the service refuses.

Sources: containerservice.json of Azure/azure-rest-api-specs; "Use a pre-created kubelet managed identity" and "Create
an OpenID Connect provider on AKS" for identities and issuers; Azure/AKS#1602 and #3300 and the providers of Terraform
for the codes of errors.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import jwt
import pytest
import yaml
from azure.core.exceptions import HttpResponseError

from amlite import SUBSCRIPTION_ID, TENANT_ID
from amlite.testing import LocalAzure
from amlite_fixtures import clusters
from amlite_fixtures.azure import ARM, GROUP, Json
from amlite_fixtures.clusters import VERSION, Place

if TYPE_CHECKING:
    from azure.mgmt.containerservice import ContainerServiceClient


@pytest.fixture
def place(amlite: LocalAzure) -> Iterator[Place]:
    with clusters.place(amlite) as made:
        yield made


def client() -> ContainerServiceClient:
    from azure.identity import DefaultAzureCredential
    from azure.mgmt.containerservice import ContainerServiceClient

    return ContainerServiceClient(DefaultAzureCredential(), SUBSCRIPTION_ID)


def test_real_client_creates_a_cluster_with_both_identities_and_reads_its_addresses(place: Place) -> None:
    from azure.mgmt.containerservice import models

    aks = client()
    made = aks.managed_clusters.begin_create_or_update(
        place.name, "aks", models.ManagedCluster.deserialize(place.cluster()), polling_interval=0
    ).result()
    assert made.provisioning_state == "Succeeded"
    assert made.fqdn
    assert made.fqdn.startswith("tacos-")
    assert made.fqdn.endswith(".hcp.westeurope.azmk8s.io")
    assert made.node_resource_group == f"MC_{place.name}_aks_westeurope"
    assert made.kubernetes_version == "1.34.3"
    assert made.identity_profile
    kubelet = made.identity_profile["kubeletidentity"]
    assert (kubelet.client_id, kubelet.object_id) == (
        place.nodes["properties"]["clientId"],
        place.nodes["properties"]["principalId"],
    )
    assert [pool.name for pool in aks.agent_pools.list(place.name, "aks")] == ["system", "user"]
    assert aks.agent_pools.get(place.name, "aks", "user").vm_size == "Standard_D4s_v3"


def test_nodes_keep_the_identity_that_the_service_made_for_them(place: Place) -> None:
    body = place.cluster(identityProfile={})
    nodes, again = (place.azure.put(place.path(), body, VERSION)["properties"]["identityProfile"] for _ in range(2))
    assert nodes["kubeletidentity"].keys() == {"objectId"}
    assert nodes == again


def test_issuer_publishes_the_keys_of_service_accounts_and_keeps_its_url(place: Place) -> None:
    issuer = place.azure.put(place.path(), place.cluster(), VERSION)["properties"]["oidcIssuerProfile"]["issuerURL"]
    assert issuer.startswith(f"https://westeurope.oic.prod-aks.azure.com/{TENANT_ID}/")
    assert issuer.endswith("/")
    found = place.azure.session.get(f"{issuer}.well-known/openid-configuration").json()
    assert found["issuer"] == issuer
    (key,) = jwt.PyJWKSet.from_dict(place.azure.session.get(found["jwks_uri"]).json()).keys
    assert key.key_type == "RSA"
    again = place.azure.put(place.path(), place.cluster(), VERSION)["properties"]["oidcIssuerProfile"]
    assert again["issuerURL"] == issuer
    assert place.azure.session.get(issuer.replace(issuer[-6:], "00000/") + "openid/v1/jwks").status_code == 404


def test_issuer_cannot_be_turned_off(place: Place) -> None:
    place.azure.put(place.path(), place.cluster(), VERSION)
    body = place.cluster(oidcIssuerProfile={"enabled": False}, securityProfile={})
    assert place.refusal(body)[:2] == (400, "OIDCIssuerFeatureCannotBeDisabled")


def test_workload_identity_needs_an_issuer(place: Place) -> None:
    assert place.refusal(place.cluster(oidcIssuerProfile={}))[0] == 400


def test_control_plane_needs_a_role_on_the_identity_of_the_nodes(place: Place) -> None:
    nodes = place.identity("id-other-nodes")
    body = place.cluster(identityProfile={"kubeletidentity": {"resourceId": nodes["id"]}})
    status, code, message = place.refusal(body)
    assert (status, code) == (400, "CustomKubeletIdentityMissingPermissionError")
    assert "must be granted 'Managed Identity Operator' role to assign kubelet identity" in message
    from azure.mgmt.containerservice import models

    with pytest.raises(HttpResponseError) as raised:
        client().managed_clusters.begin_create_or_update(place.name, "aks", models.ManagedCluster.deserialize(body))
    assert "CustomKubeletIdentityMissingPermissionError" in str(raised.value)


def test_own_identity_of_nodes_needs_a_user_assigned_control_plane(place: Place) -> None:
    body = {**place.cluster(), "identity": {"type": "SystemAssigned"}}
    assert place.refusal(body)[1] == "CustomKubeletIdentityOnlySupportedOnUserAssignedMSICluster"


@pytest.mark.parametrize(
    ("pools", "code"),
    [
        ([], "InvalidParameter"),
        ([{"name": "user", "mode": "User", "count": 1, "vmSize": "Standard_D4s_v3"}], "MustDefineAtLeastOneSystemPool"),
        ([{"name": "Upper", "mode": "System", "count": 1, "vmSize": "Standard_D4s_v3"}], "InvalidParameter"),
        ([{"name": "system", "mode": "System", "count": 0, "vmSize": "Standard_D4s_v3"}], "InvalidParameter"),
        ([{"name": "system", "mode": "System", "count": 1}], "InvalidParameter"),
    ],
    ids=["none", "no system pool", "name", "no node", "no size"],
)
def test_pools_that_the_service_refuses(place: Place, pools: list[Json], code: str) -> None:
    status, found, _ = place.refusal(place.cluster(agentPoolProfiles=pools))
    assert (status, found) == (400, code)


def test_size_of_a_pool_cannot_be_changed(place: Place) -> None:
    place.azure.put(place.path(), place.cluster(), VERSION)
    body = place.cluster()
    body["properties"]["agentPoolProfiles"][1]["vmSize"] = "Standard_D8s_v3"
    assert place.refusal(body) == (
        400,
        "PropertyChangeNotAllowed",
        "Changing property 'agentPoolProfile.vmSize' is not allowed.",
    )


def test_pool_of_its_own_joins_the_cluster_and_the_last_system_pool_stays(place: Place) -> None:
    place.azure.put(place.path(), place.cluster(), VERSION)
    pool = f"{place.path()}/agentPools/more"
    place.azure.put(pool, {"properties": {"count": 2, "vmSize": "Standard_D4s_v3"}}, VERSION)
    profiles = place.azure.arm("GET", place.path(), version=VERSION).json()["properties"]["agentPoolProfiles"]
    assert {each["name"]: each["count"] for each in profiles} == {"system": 1, "user": 1, "more": 2}
    place.azure.remove(pool, VERSION)
    answer = place.azure.arm("DELETE", f"{place.path()}/agentPools/system", version=VERSION)
    assert (answer.status_code, answer.json()["code"]) == (400, "MustDefineAtLeastOneSystemPool")


def test_unknown_version_is_refused(place: Place) -> None:
    assert place.refusal(place.cluster(kubernetesVersion="1.11"))[1] == "K8sVersionNotSupported"


def test_settings_without_effect_are_refused(place: Place) -> None:
    assert place.refusal(place.cluster(apiServerAccessProfile={"authorizedIPRanges": ["10.0.0.0/8"]}))[0] == 400


def test_credentials_are_kubeconfigs_for_the_api_server(place: Place) -> None:
    place.azure.put(place.path(), place.cluster(), VERSION)
    aks = client()
    for listed, user in (
        (aks.managed_clusters.list_cluster_user_credentials(place.name, "aks"), "clusterUser"),
        (aks.managed_clusters.list_cluster_admin_credentials(place.name, "aks"), "clusterAdmin"),
    ):
        (found,) = listed.kubeconfigs or []
        assert found.name == user
        content = yaml.safe_load(bytes(found.value or b""))
        (cluster,) = content["clusters"]
        assert cluster["cluster"]["server"].endswith(".hcp.westeurope.azmk8s.io:443")
        assert b"CERTIFICATE" in base64.b64decode(cluster["cluster"]["certificate-authority-data"])
        assert content["users"][0]["name"] == f"{user}_{place.name}_aks"


def test_credentials_need_their_own_permission(place: Place) -> None:
    place.azure.put(place.path(), place.cluster(), VERSION)
    reader = place.azure.application(("Reader", place.id))
    action = f"{ARM}{place.path()}/listClusterUserCredential?api-version={VERSION}"

    def status(credential: Any) -> int:
        token = credential.get_token(f"{ARM}/.default").token
        return int(place.azure.session.post(action, headers={"Authorization": f"Bearer {token}"}).status_code)

    assert status(reader) == 403
    assert status(place.azure.application(("Azure Kubernetes Service Cluster User Role", place.path()))) == 200


@pytest.mark.attack
def test_a_cluster_shares_no_folder_with_one_of_another_group(place: Place) -> None:
    place.azure.put(place.path(), place.cluster(), VERSION)
    other = place.path().replace(f"/resourceGroups/{place.name}/", f"/resourceGroups/{GROUP}/")
    answer = place.azure.arm("PUT", other, place.cluster(), VERSION)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "BadRequest"), answer.text
