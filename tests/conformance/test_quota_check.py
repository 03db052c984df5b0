"""The preview's question after quota: the real client, and Azure's own arithmetic in amlite."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from infra.azureml.quota import shortage

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

    from tests.conformance.conftest import LocalAzure

# A region and a family of this test alone.
REGION, SIZE, FAMILY = "uksouth", "Standard_F4s_v2", "standardFSv2Family"


@pytest.fixture
def six_cores(local_azure: LocalAzure) -> Iterator[None]:
    local_azure.command("quota", "set", FAMILY, "6", "--region", REGION)
    yield
    local_azure.command("quota", "set", FAMILY, "350", "--region", REGION)


@pytest.mark.usefixtures("six_cores")
def test_too_many_instances_are_named_with_what_is_left(ml_client: MLClient) -> None:
    reason = shortage(ml_client, REGION, SIZE, 2)
    assert reason is not None
    assert "2 x Standard_F4s_v2 take 12 more vCPUs" in reason
    assert "6 left of 6" in reason


@pytest.mark.usefixtures("six_cores")
def test_what_the_deployment_has_already_is_not_asked_for_again(ml_client: MLClient) -> None:
    assert shortage(ml_client, REGION, SIZE, 2, before=2) is None


def test_what_fits_is_no_problem(ml_client: MLClient) -> None:
    assert shortage(ml_client, REGION, SIZE, 2) is None


def test_an_instance_type_that_azure_does_not_have_is_refused(ml_client: MLClient) -> None:
    assert str(shortage(ml_client, REGION, "Standard_Nothing_v9", 1)).startswith("Azure has no instance type")
