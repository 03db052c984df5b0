from __future__ import annotations

from typing import Any

import pytest

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.services.machinelearning import quota, sizes

WORKSPACE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
DEPLOYMENT = f"{WORKSPACE}/onlineEndpoints/e/deployments"
REGION = "westeurope"
DEPLOYMENT_TYPE = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments"


def size(name: str) -> sizes.Size:
    found = sizes.find(name)
    assert found is not None
    return found


def deployed(platform: Platform, name: str, vm: str, instances: int, kind: str = "Managed") -> None:
    body: dict[str, Any] = {"location": REGION, "sku": {"capacity": instances}}
    body["properties"] = {"endpointComputeType": kind, "instanceType": vm}
    platform.store.put(f"{DEPLOYMENT}/{name}", DEPLOYMENT_TYPE, body)


def require(platform: Platform, name: str, vm: str, instances: int) -> None:
    quota.require(platform, ResourceId.of(f"{DEPLOYMENT}/{name}"), REGION, size(vm), instances)


def refusal(raised: pytest.ExceptionInfo[AzureError]) -> str:
    return str(raised.value.details[0]["message"])


@pytest.mark.parametrize(
    ("name", "cores", "family"),
    [
        ("Standard_DS3_v2", 4, "standardDSv2Family"),
        ("Standard_DS15_v2", 20, "standardDSv2Family"),
        ("Standard_E64s_v3", 64, "standardESv3Family"),
        ("STANDARD_D13_V2", 8, "standardDv2Family"),
        ("standard_e4s_v3", 4, "standardESv3Family"),
        ("Standard_F72s_v2", 72, "standardFSv2Family"),
        ("Standard_NC24ads_A100_v4", 24, "standardNCADSA100v4Family"),
    ],
)
def test_sizes_have_cores_and_a_family(name: str, cores: int, family: str) -> None:
    assert (size(name).cores, size(name).family) == (cores, family)


@pytest.mark.parametrize(
    "said",
    ["standardDSv2Family", "STANDARDDSV2FAMILY", "Standard DSv2 Family", "Standard DSv2 Family Cluster Dedicated vCPUs",
     "Standard_DS4_v2"],
)  # fmt: skip
def test_a_family_is_known_by_its_name_its_title_and_its_sizes(said: str) -> None:
    assert sizes.family_of(said) == "standardDSv2Family"


def test_other_names_are_no_families(platform: Platform) -> None:
    with pytest.raises(
        AzureError, match="'standardZFamily' is not a VM family or size; families are: standardAv2Family"
    ):
        quota.set_limit(platform, "standardZFamily", 1, None)


def test_a_fifth_more_instances_are_reserved_but_for_some_sizes() -> None:
    assert [quota.reserved(size("Standard_DS3_v2"), count) for count in (1, 5, 6, 10)] == [8, 24, 32, 48]
    assert quota.reserved(size("Standard_NC24ads_A100_v4"), 10) == 240


def test_a_deployment_beyond_the_quota_is_refused_in_azures_words(platform: Platform) -> None:
    quota.set_limit(platform, "Standard_F4s_v2", 6, None)
    with pytest.raises(AzureError) as raised:
        require(platform, "blue", "Standard_F4s_v2", 1)
    assert "Not enough quota available for Standard_F4s_v2" in refusal(raised)
    assert "Current usage/limit: 0/6. Additional needed: 8 " in refusal(raised)


def test_what_a_deployment_has_already_is_not_needed_again(platform: Platform) -> None:
    quota.set_limit(platform, "Standard_DS3_v2", 24, REGION)
    deployed(platform, "blue", "Standard_DS3_v2", 1)
    deployed(platform, "green", "Standard_DS4_v2", 1, kind="Kubernetes")
    require(platform, "blue", "Standard_DS3_v2", 5)
    with pytest.raises(AzureError) as raised:
        require(platform, "blue", "Standard_DS3_v2", 6)
    assert "usage/limit: 8/24. Additional needed: 24 " in refusal(raised)
    quota.set_limit(platform, "Standard_DS3_v2", 4, REGION)
    require(platform, "blue", "Standard_DS3_v2", 1)


def test_all_families_together_have_a_limit_and_regions_have_their_own(platform: Platform) -> None:
    quota.set_limit(platform, "total", 8, REGION)
    require(platform, "blue", "Standard_DS3_v2", 1)
    deployed(platform, "blue", "Standard_DS3_v2", 1)
    with pytest.raises(AzureError) as raised:
        require(platform, "green", "Standard_F2s_v2", 1)
    assert "Current usage/limit: 8/8. Additional needed: 4 " in refusal(raised)
    assert quota.limit(platform, quota.TOTAL, "northeurope") > 8


def test_clusters_need_room_for_one_node(platform: Platform) -> None:
    quota.set_limit(platform, "Standard_DS3_v2", 8, None)
    quota.require_node(platform, REGION, size("Standard_DS3_v2"), 2)
    with pytest.raises(AzureError, match="Standard DSv2 Family vCPU quota of 8 and cannot accomodate for at least 3"):
        quota.require_node(platform, REGION, size("Standard_DS3_v2"), 3)
