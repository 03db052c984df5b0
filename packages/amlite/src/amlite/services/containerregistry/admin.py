"""The admin user of a registry: its name is the registry's, and it has two passwords.

Source: "Admin user" in "Authenticate with an Azure container registry".
"""

from __future__ import annotations

import secrets

from amlite.core.platform import Platform
from amlite.core.wire import Json

_TYPE = "containerregistry/admin"


def credentials(platform: Platform, registry: Json) -> Json:
    """Return the name and the passwords of a registry's admin user, which are made on first use."""
    document = platform.store.get(_key(registry))
    if document is None:
        made = [secrets.token_urlsafe(39) for _ in range(2)]
        document = platform.store.put(_key(registry), _TYPE, {"passwords": made})
    first, second = document.body["passwords"]
    return {
        "username": registry["name"],
        "passwords": [{"name": "password", "value": first}, {"name": "password2", "value": second}],
    }


def signs_in(platform: Platform, registry: Json, name: str, password: str) -> bool:
    """Whether a name and a password are those of a registry's admin user, and the registry has one."""
    if not registry["properties"]["adminUserEnabled"] or name.lower() != registry["name"].lower():
        return False
    known = credentials(platform, registry)["passwords"]
    return any(secrets.compare_digest(each["value"].encode(), password.encode()) for each in known)


def forget(platform: Platform, registry: Json) -> None:
    """Forget the passwords."""
    platform.store.delete(_key(registry))


def _key(registry: Json) -> str:
    return f"{_TYPE}/{registry['name'].lower()}"
