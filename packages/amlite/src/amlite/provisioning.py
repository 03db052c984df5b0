"""Creates and deletes workspaces in a running amlite, as any client of Azure Resource Manager does."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

from azure.core.credentials import AccessToken

from amlite import SUBSCRIPTION_ID, environment
from amlite.arm_client import ArmClient
from amlite.control import client
from amlite.core.runtime import Runtime
from amlite.workspace import (
    GROUP_API_VERSION,
    VAULT_API_VERSION,
    VAULT_TYPE,
    WORKSPACE_API_VERSION,
    WORKSPACE_TYPE,
    Layout,
)

_USER_AGENT = "amlite"
_TOKEN_SECONDS = 3600


class _Deployer:
    """The credential of the application that owns the subscription."""

    def __init__(self, running: Runtime) -> None:
        self._running = running

    def get_token(self, *scopes: str, **_options: Any) -> AccessToken:
        token = client.token(self._running, scopes[0])
        return AccessToken(token, int(time.time()) + _TOKEN_SECONDS)


def create(running: Runtime, layout: Layout) -> None:
    """Create a workspace with everything it needs; existing resources stay unchanged. Raises ArmError."""
    arm = _connect(running)
    for resource in layout.resources():
        if arm.get(resource.id, resource.api_version) is None:
            arm.put(resource.id, resource.api_version, resource.body, None)


def delete(running: Runtime, layout: Layout) -> bool:
    """Delete the resource group with everything in it for good; return whether it was there. Raises ArmError."""
    arm = _connect(running)
    if arm.get(layout.group_id, GROUP_API_VERSION) is None:
        return False
    found = (arm.get(f"{layout.group_id}/resources", GROUP_API_VERSION) or {})["value"]
    for workspace in (each for each in found if each["type"] == WORKSPACE_TYPE):
        arm.delete(workspace["id"], WORKSPACE_API_VERSION, None, {"forceToPurge": "true"})
    arm.delete(layout.group_id, GROUP_API_VERSION, None)
    for vault in (each for each in found if each["type"] == VAULT_TYPE):
        place = f"/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.KeyVault/locations/{vault['location']}"
        arm.post(f"{place}/deletedVaults/{vault['name']}/purge", VAULT_API_VERSION)
    return True


def _connect(running: Runtime) -> ArmClient:
    # The Azure client reads proxy and certificates from the environment.
    os.environ.update(environment.added(running))
    return ArmClient(_Deployer(running), threading.Event(), _USER_AGENT)
