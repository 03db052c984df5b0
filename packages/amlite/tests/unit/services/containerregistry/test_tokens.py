"""Who issues a token of a container registry names the registry, as its login server and the pull of a job do."""

from __future__ import annotations

import pytest

from amlite.core.access import Principal
from amlite.core.platform import Platform
from amlite.services.containerregistry import doors, tokens
from amlite.services.containerregistry.types import REGISTRY_TYPE

WHO = Principal("11111111-0000-0000-0000-000000000000", "22222222-0000-0000-0000-000000000000")


def create(platform: Platform, created: str) -> None:
    body = {"name": "Shared", "properties": {}, "systemData": {"createdAt": created}}
    platform.store.put("/subscriptions/s/resourceGroups/g/providers/x/registries/Shared", REGISTRY_TYPE, body)


def test_the_token_of_a_job_opens_the_registry_that_it_names_and_no_later_one(platform: Platform) -> None:
    create(platform, "2026-01-01T00:00:00.0000000Z")
    shown = tokens.refresh_token(platform, WHO, "shared")
    door = doors.find(platform, "SHARED", "127.0.0.1:5000", "shared/")
    assert tokens.principal_of(platform, shown, door.registry) == WHO
    create(platform, "2026-01-02T00:00:00.0000000Z")
    with pytest.raises(tokens.RegistryError, match="invalid"):
        tokens.principal_of(platform, shown, door.registry)
