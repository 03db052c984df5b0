"""The preview's question whether an endpoint's name is free: the real requests, answered by amlite.

Source: Microsoft's how-to-deploy-online-endpoints, "Endpoint names must be unique within an Azure region".
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from amlite import SUBSCRIPTION_ID
from amlite.testing import LocalAzure, Workspace
from amlite_fixtures.azure import GROUP
from pulumi_azureml.operations.kinds import OPERATIONS
from pulumi_azureml.planning.config_keys import ConfigKeys
from pulumi_azureml.provider import AzureMLProvider, kept

Json = dict[str, Any]
KINDS = ("online_endpoint", "batch_endpoint")


@pytest.fixture
def name(amlite: LocalAzure) -> Iterator[str]:
    """Return the name of an endpoint that is in the workspace `names`."""
    made, name = Workspace.create(amlite, "names"), f"taken-{uuid.uuid4().hex[:8]}"
    path = f"{made.id}/batchEndpoints/{name}"
    body = {
        "location": "westeurope",
        "tags": {"azureml-platform.owner": "them/dev"},
        "properties": {"authMode": "AADToken"},
    }
    amlite.put(path, body)
    yield name
    amlite.remove(path)


def props(name: str, workspace: str | None = "another") -> Json:
    place = {"subscription_id": SUBSCRIPTION_ID, "resource_group": GROUP if workspace else None, "name": workspace}
    definition = {"name": "scores"}
    return {"workspace": place, "name": name, "location": "westeurope", "owner": "us/dev", "definition": definition}


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_that_another_workspace_has_is_refused_with_the_setting_for_another_one(kind: str, name: str) -> None:
    provider = AzureMLProvider(kind)
    keys = ConfigKeys(endpoint_names="my-project:naming.endpoints")
    provider.config_keys = kept(keys, OPERATIONS[kind].options)
    (failure,) = provider.check({}, props(name.upper(), workspace=None)).failures or []
    assert failure.reason.startswith(
        f"endpoint 'scores' ('{name.upper()}' in Azure): westeurope has an endpoint of that name, and names are unique"
    )
    assert f"/workspaces/names/batchEndpoints/{name}. For another name: " in failure.reason
    assert failure.reason.endswith("pulumi config set --path 'my-project:naming.endpoints.scores' NEW")


@pytest.mark.parametrize(
    "changes",
    [
        {"location": "eastus"},
        {"location": None},
        {"workspace": {"subscription_id": SUBSCRIPTION_ID, "resource_group": GROUP, "name": "names"}},
        {"owner": "them/dev"},
    ],
)
def test_a_name_in_another_region_or_in_the_own_workspace_is_no_problem(name: str, changes: Json) -> None:
    assert OPERATIONS["batch_endpoint"].check_inputs({}, props(name) | changes) == {}


def test_a_free_name_is_no_problem(amlite: LocalAzure) -> None:
    assert OPERATIONS["online_endpoint"].check_inputs({}, props("free")) == {}


def test_an_endpoint_that_exists_already_costs_no_request(amlite: LocalAzure, name: str) -> None:
    before = len(amlite.requests(f"/subscriptions/{SUBSCRIPTION_ID}/resources"))
    old = props(name)
    assert OPERATIONS["batch_endpoint"].check_inputs(old, old) == {}
    assert len(amlite.requests(f"/subscriptions/{SUBSCRIPTION_ID}/resources")) == before


def test_where_endpoints_cannot_be_listed_only_a_warning_is_said(
    amlite: LocalAzure, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    amlite.add_fault("GET */resources", "expired", times=20)
    assert OPERATIONS["batch_endpoint"].check_inputs({}, props(name)) == {}
    amlite.clear_faults()
    assert "whether its name is free in westeurope could not be looked up: (ExpiredAuthenticationToken)" in caplog.text
