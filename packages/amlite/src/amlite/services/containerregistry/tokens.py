"""A registry's own tokens: a refresh token in exchange for an Entra ID token, and access tokens limited by its roles.

The protocol is Azure Container Registry's: POST /oauth2/exchange, then /oauth2/token with scopes of the form
`repository:NAME:pull,push`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence

import jwt

from amlite import SUBSCRIPTION_ID, TENANT_ID
from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.wire import Json

REFRESH_SECONDS = 3 * 3600
ACCESS_SECONDS = 75 * 60
NO_USER = "00000000-0000-0000-0000-000000000000"
"""The user name that goes with a token for a password."""
_KEY = "containerregistry/signing-key"
_CATALOG = ("registry", "catalog")
_REGISTRY = "Microsoft.ContainerRegistry/registries"
_PERMISSIONS = {
    "pull": f"{_REGISTRY}/pull/read",
    "metadata_read": f"{_REGISTRY}/pull/read",
    "push": f"{_REGISTRY}/push/write",
    "metadata_write": f"{_REGISTRY}/push/write",
    "delete": f"{_REGISTRY}/artifacts/delete",
}


class RegistryError(AzureError):
    """An error in the format of registries (`{"errors": [...]}`)."""

    def body(self) -> Json:
        """Return the distribution protocol's error body."""
        return {"errors": [{"code": self.code, "message": self.message, "detail": self.details or None}]}


def refresh_token(platform: Platform, principal: Principal, registry: str) -> str:
    """Issue a token with which the principal can request access tokens for three hours."""
    identity = {"oid": principal.object_id, "appid": principal.client_id, "tenant": TENANT_ID}
    return _sign(platform, registry, "refresh_token", REFRESH_SECONDS, identity)


def principal_of(platform: Platform, token: str, registry: str) -> Principal:
    """Return the principal of a refresh token. RegistryError 401 for an invalid one."""
    claims = _check(platform, token, registry, "refresh_token")
    return Principal(claims["oid"], claims["appid"])


def access_token(
    platform: Platform, principal: Principal | None, registry: str, registry_id: str, scopes: Sequence[str]
) -> str:
    """Issue a token for the requested actions that the principal's roles on the registry allow.

    None stands for the admin user, who may do everything in the registry.
    """
    granted = []
    for scope in scopes:
        kind, _, rest = scope.partition(":")
        name, _, wanted = rest.rpartition(":")
        permissions = {
            action: _PERMISSIONS.get(action) for action in wanted.replace("*", ",".join(_PERMISSIONS)).split(",")
        }
        if kind != "repository":
            permissions = {"*": _PERMISSIONS["pull"]} if (kind, name) == _CATALOG else {}
        allowed = [
            action
            for action, permission in permissions.items()
            if permission is not None
            and (principal is None or platform.access.allowed(principal, registry_id, permission))
        ]
        granted.append({"type": kind, "name": name, "actions": allowed})
    every = f"/subscriptions/{SUBSCRIPTION_ID}"
    reads_all = principal is not None and platform.access.allowed(principal, every, _PERMISSIONS["pull"])
    return _sign(platform, registry, "access_token", ACCESS_SECONDS, {"access": granted, "reads_all": reads_all})


def require_catalog(platform: Platform, token: str, registry: str) -> None:
    """Raise RegistryError 401 unless the access token is for `registry:catalog:*`."""
    claims = _check(platform, token, registry, "access_token")
    if not any((each["type"], each["name"]) == _CATALOG and "*" in each["actions"] for each in claims["access"]):
        raise denied("", "")


def require(platform: Platform, token: str, registry: str, repository: str, action: str) -> None:
    """Raise RegistryError 401 unless the access token is for this action on this repository ("" asks for any)."""
    if not permits(platform, token, registry, repository, action):
        raise denied(repository, action)


def permits(platform: Platform, token: str, registry: str, repository: str, action: str) -> bool:
    """Whether a valid access token is for this action on this repository; RegistryError 401 for an invalid one."""
    claims = _check(platform, token, registry, "access_token")
    wanted = ("repository", repository)
    return not repository or any(
        (entry["type"], entry["name"]) == wanted and action in entry["actions"] for entry in claims["access"]
    )


def reads_all(platform: Platform, token: str, registry: str) -> bool:
    """Whether the holder of an access token may pull from every registry; RegistryError 401 for an invalid one."""
    return bool(_check(platform, token, registry, "access_token")["reads_all"])


def denied(repository: str, action: str) -> RegistryError:
    """Build the refusal for a missing or insufficient token."""
    message = "authentication required, visit https://aka.ms/acr/authorization for more information."
    details = [{"Type": "repository", "Name": repository, "Action": action}] if repository else []
    return RegistryError(401, "UNAUTHORIZED", message, details=details)


def _key(platform: Platform) -> str:
    saved = platform.store.get(_KEY)
    if saved is None:
        saved = platform.store.put(_KEY, "containerregistry", {"secret": secrets.token_hex(32)})
    return str(saved.body["secret"])


def _audience(platform: Platform, registry: str) -> str:
    """Return what the tokens of a registry are for: this one, and no later one with its name."""
    created = (
        document.body["systemData"]["createdAt"]
        for document in platform.store.of_type(_REGISTRY)
        if document.body["name"].lower() == registry
    )
    return f"{registry} {next(created, '')}"


def _sign(platform: Platform, registry: str, kind: str, seconds: int, claims: Json) -> str:
    now = int(time.time())
    times = {"iat": now, "nbf": now - 60, "exp": now + seconds}
    audience = _audience(platform, registry)
    payload = {"iss": "Azure Container Registry", "aud": audience, "grant_type": kind, **times, **claims}
    return jwt.encode(payload, _key(platform), algorithm="HS256")


def _check(platform: Platform, token: str, registry: str, kind: str) -> Json:
    try:
        claims: Json = jwt.decode(token, _key(platform), algorithms=["HS256"], audience=_audience(platform, registry))
    except jwt.InvalidTokenError as error:
        raise RegistryError(401, "UNAUTHORIZED", f"The registry's token is invalid: {error}.") from error
    if claims.get("grant_type") != kind:
        raise RegistryError(401, "UNAUTHORIZED", f"This is no {kind.replace('_', ' ')}.")
    return claims
