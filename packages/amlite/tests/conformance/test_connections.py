"""Workspace connections, by the real client."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from amlite.testing import Workspace

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

PASSWORD = "swordfish-4711"


def name() -> str:
    return f"c-{uuid.uuid4().hex[:8]}"


def test_a_connection_is_created_read_listed_updated_and_deleted(
    azureml_workspace: Workspace, ml_client: MLClient
) -> None:
    from azure.ai.ml.entities import PatTokenConfiguration, UsernamePasswordConfiguration, WorkspaceConnection

    feed = WorkspaceConnection(
        name=name(),
        type="python_feed",
        target="https://feed.example.org/simple",
        credentials=UsernamePasswordConfiguration(username="me", password=PASSWORD),
        metadata={"team": "flights"},
    )
    git = WorkspaceConnection(
        name=name(), type="git", target="https://git.example.org/r", credentials=PatTokenConfiguration(pat=PASSWORD)
    )
    made = ml_client.connections.create_or_update(feed)
    ml_client.connections.create_or_update(git)
    assert (made.type, made.target, made.metadata) == ("python_feed", feed.target, {"team": "flights"})
    assert ml_client.connections.get(feed.name).id == made.id
    assert {feed.name, git.name} <= {each.name for each in ml_client.connections.list()}
    of_kind = [each.name for each in ml_client.connections.list(connection_type="git")]
    assert git.name in of_kind
    assert feed.name not in of_kind
    feed._target = "https://feed.example.org/other"
    assert ml_client.connections.create_or_update(feed).target == "https://feed.example.org/other"
    changed = {"properties": {"authType": "UsernamePassword", "metadata": {"team": "other"}}}
    assert azureml_workspace.azure.arm("PATCH", made.id, changed).json()["properties"]["metadata"] == {"team": "other"}
    for each in (feed, git):
        ml_client.connections.delete(each.name)
    with pytest.raises(ResourceNotFoundError):
        ml_client.connections.get(feed.name)


def test_only_listsecrets_returns_the_credentials_of_a_connection(
    azureml_workspace: Workspace, ml_client: MLClient
) -> None:
    from azure.ai.ml.entities import ApiKeyConfiguration, WorkspaceConnection

    wanted = WorkspaceConnection(
        name=name(), type="custom", target="https://api.example.org", credentials=ApiKeyConfiguration(key=PASSWORD)
    )
    ml_client.connections.create_or_update(wanted)
    path = f"{azureml_workspace.id}/connections"
    for shown in (f"{path}/{wanted.name}", path):
        assert PASSWORD not in azureml_workspace.azure.arm("GET", shown).text
    assert ml_client.connections.get(wanted.name, populate_secrets=True).credentials.key == PASSWORD
    assert ml_client.connections.get(wanted.name).credentials.key != PASSWORD
    reader = azureml_workspace.azure.application(("Reader", azureml_workspace.id))
    with pytest.raises(HttpResponseError, match=r"connections/listsecrets/action"):
        azureml_workspace.client(reader).connections.get(wanted.name, populate_secrets=True)


def test_connections_to_data_are_listed_on_request(azureml_workspace: Workspace, ml_client: MLClient) -> None:
    """The client sends `includeAll=false` whatever `include_data_connections` says, so this asks without it."""
    from azure.ai.ml.entities import AccountKeyConfiguration, AzureBlobStoreConnection

    blobs = AzureBlobStoreConnection(
        name=name(), url="https://account.blob.core.windows.net/c", account_name="account", container_name="c",
        credentials=AccountKeyConfiguration(account_key=PASSWORD),
    )  # fmt: skip
    ml_client.connections.create_or_update(blobs)
    assert blobs.name not in [each.name for each in ml_client.connections.list()]
    path = f"{azureml_workspace.id}/connections"
    listed = azureml_workspace.azure.arm("GET", path, query="&includeAll=true").json()["value"]
    assert blobs.name in [each["name"] for each in listed]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"category": "Telepathy"}, "category"),
        ({"category": None}, "category"),
        ({"authType": "Handshake"}, "authType"),
        ({"credentials": None}, "properties.credentials"),
    ],
)
def test_a_wrong_connection_is_refused(azureml_workspace: Workspace, change: dict[str, object], said: str) -> None:
    properties = {
        "category": "Git", "authType": "PAT", "target": "https://git.example.org/r", "credentials": {"pat": PASSWORD},
    }  # fmt: skip
    path = f"{azureml_workspace.id}/connections/{name()}"
    answer = azureml_workspace.azure.arm("PUT", path, {"properties": {**properties, **change}})
    assert answer.status_code == 400, answer.text
    assert said in answer.json()["error"]["message"]
