"""What an attacker gains with a body that takes long: the roles and the resources change before it is complete."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from amlite import TENANT_ID
from amlite.testing import LocalAzure, Workspace
from amlite_fixtures.azure import SUBSCRIPTION

pytestmark = pytest.mark.attack
Json = dict[str, Any]
ARM = "https://management.azure.com"
ALERTS = "2023-01-01"
GROUPS = "2021-04-01"
VAULTS = "2023-07-01"


def slowly(
    azure: LocalAzure, method: str, path: str, version: str, body: Json, meanwhile: Callable[[], object],
    credential: object = None,
) -> requests.Response:  # fmt: skip
    """Send a request, and do something after its head was read and before its body is complete."""

    def parts() -> Iterator[bytes]:
        raw = json.dumps(body).encode()
        yield raw[:2]
        time.sleep(0.3)
        meanwhile()
        yield raw[2:]

    token = (credential or azure.credential).get_token(f"{ARM}/.default").token  # type: ignore[attr-defined]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return azure.session.request(method, f"{ARM}{path}?api-version={version}", data=parts(), headers=headers)


@pytest.fixture
def group(amlite: LocalAzure) -> str:
    path = f"{SUBSCRIPTION}/resourceGroups/rg-slow-{uuid.uuid4().hex[:8]}"
    amlite.put(path, {"location": "westeurope"}, GROUPS)
    return path


@pytest.fixture
def receiver(amlite: LocalAzure, group: str) -> str:
    path = f"{group}/providers/Microsoft.Insights/actionGroups/ag"
    amlite.put(path, {"location": "global", "properties": {"groupShortName": "x", "enabled": True}}, ALERTS)
    return path


def test_a_change_does_not_undo_what_others_changed_meanwhile(amlite: LocalAzure, receiver: str) -> None:
    def other() -> None:
        assert amlite.arm("PATCH", receiver, {"tags": {"theirs": "1"}}, ALERTS).status_code == 200

    assert slowly(amlite, "PATCH", receiver, ALERTS, {"tags": {"mine": "1"}}, other).status_code == 200
    assert amlite.arm("GET", receiver, version=ALERTS).json()["tags"] == {"theirs": "1", "mine": "1"}


def test_a_change_does_not_bring_a_deleted_resource_back(amlite: LocalAzure, group: str, receiver: str) -> None:
    def delete() -> None:
        amlite.remove(group, GROUPS)
        assert amlite.arm("GET", group, version=GROUPS).status_code == 404

    for path, version in ((receiver, ALERTS), (group, GROUPS)):
        answer = slowly(amlite, "PATCH", path, version, {"tags": {"mine": "1"}}, delete)
        assert answer.status_code == 404
        assert amlite.arm("GET", path, version=version).status_code == 404
        amlite.put(group, {"location": "westeurope"}, GROUPS)


def test_an_asset_is_not_written_to_a_workspace_that_is_gone(amlite: LocalAzure, group: str) -> None:
    """A new workspace of the same name would have it."""
    doomed = Workspace.create(amlite, f"mlw-{uuid.uuid4().hex[:8]}", resource_group=group.rpartition("/")[2])
    path = f"{doomed.id}/data/evil/versions/1"

    def delete() -> None:
        amlite.finish(amlite.arm("DELETE", doomed.id, query="&forceToPurge=true"))
        assert amlite.arm("GET", doomed.id).status_code == 404

    body = {"properties": {"dataType": "uri_file", "dataUri": "https://example.org/rows.csv"}}
    assert slowly(amlite, "PUT", path, "2024-04-01", body, delete).status_code == 404


def test_a_secret_is_not_written_to_a_vault_that_is_gone(amlite: LocalAzure, group: str) -> None:
    vault = f"{group}/providers/Microsoft.KeyVault/vaults/kv-{uuid.uuid4().hex[:12]}"
    properties = {"tenantId": TENANT_ID, "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": True}
    amlite.put(vault, {"location": "westeurope", "properties": properties}, VAULTS)

    def delete() -> None:
        amlite.remove(vault, VAULTS)

    answer = slowly(amlite, "PUT", f"{vault}/secrets/s", VAULTS, {"properties": {"value": "x"}}, delete)
    assert answer.status_code == 404


def test_a_lost_role_is_lost_for_a_request_under_way(amlite: LocalAzure, group: str, receiver: str) -> None:
    """A request that waits for its body could give the role back."""
    name = f"{group}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    credential = amlite.application()
    owner = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
    who = json.loads(_claims(credential.get_token(f"{ARM}/.default").token))["oid"]
    given = {"principalId": who, "principalType": "ServicePrincipal", "roleDefinitionId": owner}
    amlite.put(name, {"properties": given}, "2022-04-01")

    def remove() -> None:
        assert amlite.arm("DELETE", name, version="2022-04-01").status_code == 200

    again = f"{name[:-12]}{uuid.uuid4().hex[:12]}"
    answer = slowly(amlite, "PUT", again, "2022-04-01", {"properties": given}, remove, credential)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "AuthorizationFailed")
    assert amlite.arm("GET", receiver, version=ALERTS, credential=credential).status_code == 403


def _claims(token: str) -> bytes:
    part = token.split(".")[1]
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
