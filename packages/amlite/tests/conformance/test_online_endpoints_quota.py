"""The subscription's quota, as azure-ai-ml reads it and as deployments meet it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from azure.core.exceptions import HttpResponseError

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.ai.ml.entities import ManagedOnlineDeployment

    from amlite.testing import Workspace
    from amlite_fixtures.scoring import Scoring

FAMILY = "Standard ESv3 Family Cluster Dedicated vCPUs"


@pytest.fixture
def little_quota(azureml_workspace: Workspace) -> Iterator[None]:
    """Leave six vCPUs of a family that no other test uses."""
    assert azureml_workspace.azure.command("quota", "set", "Standard_E4s_v3", "6", "--region", "westeurope")
    yield
    assert "of 6     standardESv3Family\n" in azureml_workspace.azure.command("quota", "list")
    assert azureml_workspace.azure.command("quota", "clear").endswith(" limits taken back\n")
    assert "of 350   standardESv3Family\n" in azureml_workspace.azure.command("quota", "list")


def usage(ml: MLClient, name: str) -> tuple[int, int]:
    # This client's entities hold what the service says under the service's own names.
    found = {each.name["value"]: vars(each) for each in ml.compute.list_usage() if each.name}[name]
    return found["currentValue"], found["limit"]


@pytest.mark.usefixtures("little_quota")
def test_a_deployment_beyond_the_quota_is_refused_and_one_within_it_is_counted(
    empty: Scoring, make_deployment: Callable[..., ManagedOnlineDeployment]
) -> None:
    assert usage(empty.ml, FAMILY) == (0, 6)
    large = make_deployment(empty.name, "large", instance_type="Standard_E4s_v3")
    with pytest.raises(HttpResponseError, match=r"Standard_E4s_v3 .* Current usage/limit: 0/6\. Additional needed: 8"):
        empty.ml.online_deployments.begin_create_or_update(large).result()
    assert not list(empty.ml.online_deployments.list(empty.name))
    small = make_deployment(empty.name, "small", instance_type="Standard_E2s_v3")
    empty.ml.online_deployments.begin_create_or_update(small).result()
    assert usage(empty.ml, FAMILY) == (4, 6)
    small.instance_count = 2
    assert empty.ml.online_deployments.begin_create_or_update(small).result().instance_count == 2
    assert usage(empty.ml, FAMILY) == (6, 6)
    empty.ml.online_deployments.begin_delete("small", empty.name).result()
    assert usage(empty.ml, FAMILY) == (0, 6)


def test_sizes_are_listed_with_what_managed_endpoints_run_on(ml_client: MLClient) -> None:
    sizes = {size.name: vars(size) for size in ml_client.compute.list_sizes()}
    size = sizes["Standard_DS3_v2"]
    assert (size["vCPUs"], size["memoryGB"], size["family"]) == (4, 14.0, "standardDSv2Family")
    assert len(sizes) > 100


def test_quotas_and_unknown_sizes(
    azureml_workspace: Workspace, empty: Scoring, make_deployment: Callable[..., ManagedOnlineDeployment]
) -> None:
    subscription = azureml_workspace.id.partition("/resourceGroups/")[0]
    path = f"{subscription}/providers/Microsoft.MachineLearningServices/locations/westeurope/quotas"
    listed = {row["name"]["value"]: row["limit"] for row in azureml_workspace.azure.arm("GET", path).json()["value"]}
    assert listed["Standard DSv2 Family Cluster Dedicated vCPUs"] > 0
    unknown = make_deployment(empty.name, "unknown", instance_type="Standard_X1")
    with pytest.raises(HttpResponseError, match="'Standard_X1' is not a VM size"):
        empty.ml.online_deployments.begin_create_or_update(unknown).result()
