"""A third of all requests fails, as in `make chaos FAULTS=…`: assets are created nonetheless."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from amlite.testing import Workspace
from azureml_fixtures.asset_project import Project
from azureml_fixtures.fault_matrix import impatient
from pulumi_azureml.operations import connection
from pulumi_azureml.provider import AzureMLProvider
from tests.chaos.faults import KINDS, rules

_ASSETS = ("environment", "data", "component")


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    connection.sign_in_again()
    with impatient():
        yield


@pytest.mark.parametrize("kind", list(KINDS))
def test_assets_are_created_while_a_third_of_all_requests_fails(
    kind: str, project: Project, add_fault: Callable[..., None], azureml_workspace: Workspace
) -> None:
    for each in rules(kind, 0.3, seed=1):
        add_fault(**each)
    wanted: dict[str, Any] = {asset: project.props(asset) for asset in _ASSETS}
    for asset, props in wanted.items():
        AzureMLProvider(asset).create(props)
    assert sum(rule["met"] for rule in azureml_workspace.azure.faults()) > 3
    azureml_workspace.azure.clear_faults()
    for asset, props in wanted.items():
        assert AzureMLProvider(asset).read(props["name"], props).inputs == props
