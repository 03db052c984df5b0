"""Resource providers: whether the subscription is registered for them, and what fails where it is not.

Sources: "Resolve errors for resource provider registration", "Troubleshoot online endpoint deployment and scoring", and
Microsoft Q&A 2068819.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.resource.resources import ResourceManagementClient

from amlite import SUBSCRIPTION_ID
from amlite.arm_client import ArmClient
from amlite.testing import LocalAzure, Workspace

GROUP = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/rg-providers"


@pytest.fixture
def client(amlite: LocalAzure) -> Iterator[ResourceManagementClient]:
    with ResourceManagementClient(amlite.credential, SUBSCRIPTION_ID) as made:
        yield made


@pytest.fixture
def unregistered(client: ResourceManagementClient) -> Iterator[Callable[[str], None]]:
    """Return a function that ends the registration for a provider, until the end of the test."""
    ended: list[str] = []

    def end(namespace: str) -> None:
        client.providers.unregister(namespace)
        ended.append(namespace)

    yield end
    for namespace in ended:
        client.providers.register(namespace)


def test_providers_are_listed_with_their_regions(client: ResourceManagementClient) -> None:
    found = {each.namespace: each for each in client.providers.list()}
    assert {"Microsoft.Cdn", "Microsoft.Network", "Microsoft.PolicyInsights", "Microsoft.Storage"} <= set(found)
    assert {each.registration_state for each in found.values()} == {"Registered"}
    kinds = {each.resource_type: each for each in found["Microsoft.MachineLearningServices"].resource_types or []}
    assert "West Europe" in (kinds["workspaces"].locations or [])


def test_a_provider_is_unregistered_and_registered(client: ResourceManagementClient) -> None:
    assert client.providers.unregister("Microsoft.Cdn").registration_state == "NotRegistered"
    assert client.providers.register("microsoft.cdn").registration_state == "Registering"
    assert client.providers.get("Microsoft.Cdn").registration_state == "Registered"
    with pytest.raises(HttpResponseError, match="InvalidResourceNamespace"):
        client.providers.get("Microsoft.Nothing")


def test_a_provider_with_resources_is_not_unregistered(
    client: ResourceManagementClient, azureml_workspace: Workspace
) -> None:
    assert azureml_workspace
    with pytest.raises(HttpResponseError, match="ResourceProviderInUse"):
        client.providers.unregister("Microsoft.MachineLearningServices")
    with pytest.raises(HttpResponseError, match="CannotUnregister"):
        client.providers.unregister("Microsoft.Authorization")


def test_only_who_may_registers(amlite: LocalAzure) -> None:
    reader = amlite.application(("Reader", f"/subscriptions/{SUBSCRIPTION_ID}"))
    with ResourceManagementClient(reader, SUBSCRIPTION_ID) as client:
        assert client.providers.get("Microsoft.Cdn").registration_state == "Registered"
        with pytest.raises(HttpResponseError, match=r"Microsoft\.Cdn/register/action"):
            client.providers.register("Microsoft.Cdn")


def test_resources_of_an_unregistered_provider_are_refused(tmp_path: Path) -> None:
    """azure-native registers it and tries again, as every client of azcore does; its stand-in too."""
    path = f"{GROUP}/providers/Microsoft.OperationalInsights/workspaces/log-registered"
    # A provider with resources cannot be unregistered, and other tests leave some.
    with LocalAzure.started(tmp_path) as azure, azure.signed_in():
        azure.put(GROUP, {"location": "westeurope"}, "2021-04-01")
        provider = f"/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.OperationalInsights"
        azure.arm("POST", f"{provider}/unregister", version="2021-04-01")
        answer = azure.arm("PUT", path, {"location": "westeurope", "properties": {}}, "2023-09-01")
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "MissingSubscriptionRegistration")
        arm = ArmClient(azure.credential, threading.Event(), "test")
        assert arm.put(path, "2023-09-01", {"location": "westeurope", "properties": {}}, 60)["id"] == path


def test_online_endpoints_need_providers_that_no_client_registers(
    azureml_workspace: Workspace, unregistered: Callable[[str], None]
) -> None:
    unregistered("Microsoft.PolicyInsights")
    body = {"location": "westeurope", "identity": {"type": "SystemAssigned"}, "properties": {"authMode": "Key"}}
    path = f"{azureml_workspace.id}/onlineEndpoints/ep-{uuid.uuid4().hex[:8]}"
    answer = azureml_workspace.azure.arm("PUT", path, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "SubscriptionNotRegistered")
