"""The preview's question after quota: the real client, and Azure's own arithmetic in amlite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from pulumi.runtime.rpc import UNKNOWN

from pulumi_azureml.operations import quota
from pulumi_azureml.operations.kinds import OPERATIONS
from pulumi_azureml.operations.quota import Need, Taker

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

    from amlite.testing import LocalAzure

# A region and a family of this test alone.
REGION, SIZE, FAMILY = "uksouth", "Standard_F4s_v2", "standardFSv2Family"


@pytest.fixture
def set_quota(amlite: LocalAzure) -> Iterator[Callable[[str, int], None]]:
    """Return a function that sets the region's quota of a family, or of all together ("total")."""
    usual = {FAMILY: 350, "total": 1000}

    def change(name: str, cores: int) -> None:
        amlite.command("quota", "set", name, str(cores), "--region", REGION)

    yield change
    for name, cores in usual.items():
        change(name, cores)


@pytest.fixture
def six_cores(set_quota: Callable[[str, int], None]) -> None:
    set_quota(FAMILY, 6)


@pytest.fixture(autouse=True)
def own_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test the memory of a run of its own."""
    monkeypatch.setattr(quota, "_planned", {})


def shortage(ml: MLClient, size: str, instances: int, before: int = 0, endpoint: str = "a") -> str | None:
    need = Need(f"ml/deploy/{endpoint}/blue-deployment.yml", size, instances, before)
    return quota.shortage(ml, Taker(ml.subscription_id, REGION, endpoint), need)


@pytest.mark.usefixtures("six_cores")
def test_too_many_instances_are_named_with_what_is_left(ml_client: MLClient) -> None:
    reason = shortage(ml_client, SIZE, 2)
    assert reason is not None
    assert "2 x Standard_F4s_v2 take 12 more vCPUs" in reason
    assert "only 6 of 6 are left" in reason


@pytest.mark.usefixtures("six_cores")
def test_what_the_deployment_has_already_is_not_asked_for_again(ml_client: MLClient) -> None:
    assert shortage(ml_client, SIZE, 2, before=2) is None


def test_deployments_are_counted_together_for_their_family_and_in_total(
    ml_client: MLClient, set_quota: Callable[[str, int], None]
) -> None:
    """Two instances of four vCPUs take three with Azure's reserve."""
    set_quota(FAMILY, 30)
    needs = [Need("a.yml", SIZE, 2), Need("b.yml", SIZE, 2), Need("c.yml", "Standard_DS3_v2", 1)]
    found = {each.limit: (each.needed, each.left) for each in quota.demands(ml_client, REGION, needs)}
    family, other, total = found.values()
    assert (family, other[0], total[0]) == ((24, 30), 8, 32)
    assert quota.demands(ml_client, REGION, []) == []


def test_what_fits_is_no_problem(ml_client: MLClient) -> None:
    assert shortage(ml_client, SIZE, 2) is None


def test_an_instance_type_that_azure_does_not_have_is_refused(ml_client: MLClient) -> None:
    assert str(shortage(ml_client, "Standard_Nothing_v9", 1)).startswith("Azure has no instance type")


@pytest.mark.parametrize(("name", "other"), [(FAMILY, SIZE), ("total", "Standard_DS3_v2")])
def test_endpoints_that_fit_each_but_not_together_are_refused_until_azure_counts_the_first(
    name: str, other: str, ml_client: MLClient, set_quota: Callable[[str, int], None]
) -> None:
    # Two instances with the reserve, of four vCPUs each.
    set_quota(name, 12)
    assert shortage(ml_client, other, 1) is None
    reason = str(shortage(ml_client, SIZE, 1, endpoint="b"))
    assert f"1 x {SIZE}, together with ml/deploy/a/blue-deployment.yml (1 x {other}), take 16 more vCPUs" in reason
    assert "only 12 of 12 are left" in reason
    # The refused one takes nothing, and asking again is not asking for more.
    assert shortage(ml_client, other, 1) is None
    quota.begun(Taker(ml_client.subscription_id, REGION, "a"))
    assert shortage(ml_client, SIZE, 1, endpoint="b") is None


def test_another_familys_deployments_do_not_count(ml_client: MLClient, set_quota: Callable[[str, int], None]) -> None:
    set_quota(FAMILY, 12)
    assert shortage(ml_client, "Standard_DS3_v2", 1) is None
    assert shortage(ml_client, SIZE, 1, endpoint="b") is None


def props(ml: MLClient, instances: int, content: str = "a" * 64, workspace: str | None = None) -> dict[str, Any]:
    deployment = {
        "name": "blue",
        "path": "ml/deploy/blue-deployment.yml",
        "content_hash": content,
        "definition": {"instance_type": SIZE, "instance_count": instances},
    }
    place = {
        "subscription_id": ml.subscription_id,
        "resource_group": workspace or ml.resource_group_name,
        "name": workspace or ml.workspace_name,
    }
    return {
        "name": "no-such-endpoint",
        "owner": "quota-tests",
        "workspace": place,
        "location": REGION,
        "definition": {},
        "deployment": deployment,
    }


@pytest.mark.usefixtures("six_cores")
@pytest.mark.parametrize("place", [None, UNKNOWN])
def test_a_preview_refuses_a_deployment_beyond_the_quota_and_names_its_file(
    place: str | None, ml_client: MLClient
) -> None:
    wrong = OPERATIONS["online_endpoint"].check_inputs({}, props(ml_client, 2, workspace=place))
    assert str(wrong["deployment"]).startswith("ml/deploy/blue-deployment.yml: 2 x Standard_F4s_v2 take 12 more vCPUs")


@pytest.mark.usefixtures("six_cores")
def test_the_surge_of_a_rollout_counts_and_the_same_deployment_does_not(ml_client: MLClient) -> None:
    old = props(ml_client, 2)
    assert OPERATIONS["online_endpoint"].check_inputs(old, old) == {}
    assert (
        "take 12 more vCPUs"
        in OPERATIONS["online_endpoint"].check_inputs(old, props(ml_client, 2, "b" * 64))["deployment"]
    )
