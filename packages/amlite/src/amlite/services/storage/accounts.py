"""Storage accounts by name: their keys, and the access that roles on them grant."""

from __future__ import annotations

import base64
import secrets

from amlite.core.access import Principal
from amlite.core.platform import Platform
from amlite.core.wire import Json

KEYS_TYPE = "storage/keys"
CONTAINERS = "Microsoft.Storage/storageAccounts/blobServices/containers"


def keys_of(platform: Platform, account: str) -> Json | None:
    """Return an account's `key1` and `key2`, its name and its `id`. Return None if it does not exist."""
    document = platform.store.get(f"{KEYS_TYPE}/{account}")
    return document.body if document else None


def create_keys(platform: Platform, account: str, account_id: str) -> None:
    """Create the keys of a new account."""
    if keys_of(platform, account) is None:
        keys = {"account": account, "id": account_id, "key1": _new_key(), "key2": _new_key()}
        platform.store.put(f"{KEYS_TYPE}/{account}", KEYS_TYPE, keys)


def may(platform: Platform, who: Principal, account: str, container: str, verb: str) -> bool:
    """Whether a role allows to `read`, `write` or `delete` the blobs of a container."""
    keys = keys_of(platform, account)
    if keys is None:
        return False
    scope = f"{keys['id']}/blobServices/default/containers/{container}"
    return platform.access.allowed(who, scope, f"{CONTAINERS}/blobs/{verb}", data=True)


def shared_key_allowed(platform: Platform, account_id: str) -> bool:
    """Whether an account accepts its keys, and signatures made with them."""
    account = platform.store.get(account_id)
    return account is None or account.body["properties"].get("allowSharedKeyAccess") is not False


def public_access_allowed(platform: Platform, account_id: str) -> bool:
    """Whether containers of an account may be public. An account must say so."""
    account = platform.store.get(account_id)
    return account is not None and account.body["properties"].get("allowBlobPublicAccess") is True


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(64)).decode()
