"""Keys and tokens of endpoints."""

from __future__ import annotations

import hmac
import secrets
import time

from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.published import fields
from amlite.core.wire import Json
from amlite.services.entra.tokens import tokens
from amlite.services.machinelearning.addresses import AUDIENCE
from amlite.services.machinelearning.endpoints import ONLINE_TYPE

_TYPE = "serving/keys"
_TOKEN_SECONDS = 12 * 3600
_SCORE = f"{ONLINE_TYPE}/score/action"


def create(platform: Platform, endpoint_id: str, wanted: Json | None) -> None:
    """Create the keys of a new endpoint: those in the request, or random ones."""
    given = wanted or {}
    body = {name: given.get(name) or _new() for name in ("primaryKey", "secondaryKey")}
    platform.store.put(f"{_TYPE}{endpoint_id}", _TYPE, body)


def forget(platform: Platform, endpoint_id: str) -> None:
    """Delete an endpoint's keys."""
    platform.store.delete(f"{_TYPE}{endpoint_id}")


def list_keys(platform: Platform, endpoint: Json) -> Json:
    """Return both keys. AzureError 400 for an endpoint without keys."""
    _require_mode(endpoint, "Key")
    return _keys(platform, endpoint["id"])


def regenerate(platform: Platform, endpoint: Json, request: Json) -> None:
    """Replace one key, by a given value or a random one; raises AzureError 400."""
    _require_mode(endpoint, "Key")
    request = fields(request, {"keyType": "str", "keyValue": "str"})
    name = {"primary": "primaryKey", "secondary": "secondaryKey"}.get(str(request.get("keyType")).lower())
    if name is None:
        raise AzureError(400, "BadArgument", f"keyType: must be Primary or Secondary, not {request.get('keyType')!r}.")
    keys = _keys(platform, endpoint["id"])
    wanted = request.get("keyValue")
    # azure-ai-ml sends the current key too. It must not remain the same.
    new = wanted if wanted and wanted != keys[name] else _new()
    platform.store.put(f"{_TYPE}{endpoint['id']}", _TYPE, {**keys, name: new})


def token(platform: Platform, endpoint: Json) -> Json:
    """Issue a token for an endpoint in mode AMLToken; times in seconds since the epoch."""
    _require_mode(endpoint, "AMLToken")
    nobody = Principal(_audience(endpoint), _generation(endpoint))
    now = int(time.time())
    return {
        "accessToken": tokens(platform).issue(nobody, _audience(endpoint), _TOKEN_SECONDS),
        "expiryTimeUtc": now + _TOKEN_SECONDS,
        "refreshAfterTimeUtc": now + _TOKEN_SECONDS // 2,
        "tokenType": "Bearer",
    }


def check(platform: Platform, endpoint: Json, shown: str | None) -> None:
    """Raise AzureError 401 (403 for an identity without the permission) unless a key or token is valid."""
    if shown is None:
        raise AzureError(401, "Unauthorized", "The header 'Authorization: Bearer <key or token>' is missing.")
    match endpoint["properties"]["authMode"]:
        case "Key":
            known = _keys(platform, endpoint["id"]).values()
            # Compare every key, so that the time reveals nothing.
            if not sum(hmac.compare_digest(shown.encode(), key.encode()) for key in known):
                raise AzureError(401, "Unauthorized", "The key is not one of this endpoint's.")
        case "AMLToken":
            claims = tokens(platform).check(shown, frozenset({_audience(endpoint)}))
            # Entra ID issues tokens for this audience to anybody, and an earlier endpoint had the same id.
            if (claims["oid"], claims["appid"]) != (_audience(endpoint), _generation(endpoint)):
                raise AzureError(401, "Unauthorized", "The token is not one that this endpoint issued.")
        case _:
            principal = tokens(platform).principal_of(shown, frozenset({AUDIENCE}))
            platform.access.require(principal, endpoint["id"], _SCORE)


def _keys(platform: Platform, endpoint_id: str) -> dict[str, str]:
    document = platform.store.get(f"{_TYPE}{endpoint_id}")
    if document is None:
        raise AzureError(404, "ResourceNotFound", "The endpoint has no keys.")
    return document.body


def _require_mode(endpoint: Json, mode: str) -> None:
    actual = endpoint["properties"]["authMode"]
    if actual != mode:
        raise AzureError(
            400, "BadArgument", f"Endpoint '{endpoint['name']}' has the auth mode {actual}; this needs {mode}."
        )


def _audience(endpoint: Json) -> str:
    return str(endpoint["id"]).lower()


def _generation(endpoint: Json) -> str:
    return str(endpoint["systemData"]["createdAt"])


def _new() -> str:
    return secrets.token_urlsafe(24)
