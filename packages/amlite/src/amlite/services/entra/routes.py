"""Entra ID's HTTP surface, and the managed identity endpoint that jobs and model servers ask."""

from __future__ import annotations

import time
from collections.abc import Iterable

from aiohttp import web

from amlite import TENANT_ID
from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.routing import Call, Json, Routes, reply
from amlite.services.entra.tokens import ISSUER, LIFETIME_SECONDS, Tokens, entra_error
from amlite.services.managedidentity.types import IDENTITY_TYPE

LOGIN = "login.microsoftonline.com"
# Not a host of Azure's: on a real machine this endpoint is a link-local address given by environment variables.
IDENTITY_HOST = "identity.amlite.internal"
routes = Routes(LOGIN, audiences=None)
identity_routes = Routes(IDENTITY_HOST, audiences=None)
_SECRETS = "entra/identity-secrets"


@routes.get("/common/discovery/instance")
async def discover_instance(call: Call) -> web.Response:
    """Say that this authority is known."""
    metadata = [
        {"preferred_network": LOGIN, "preferred_cache": "login.windows.net", "aliases": [LOGIN, "login.windows.net"]}
    ]
    endpoint = f"https://{LOGIN}/{TENANT_ID}/v2.0/.well-known/openid-configuration"
    return reply({"tenant_discovery_endpoint": endpoint, "api-version": "1.1", "metadata": metadata})


@routes.get("/{tenant}/v2.0/.well-known/openid-configuration")
async def configuration(call: Call) -> web.Response:
    """Return the OpenID configuration."""
    _check_tenant(call)
    return _configuration()


@routes.get("/{tenant}/.well-known/openid-configuration")
async def configuration_v1(call: Call) -> web.Response:
    """Return the OpenID configuration (v1 address)."""
    _check_tenant(call)
    return _configuration()


@routes.get("/{tenant}/discovery/v2.0/keys")
async def keys(call: Call) -> web.Response:
    """Return the signing keys."""
    return reply(tokens(call.platform).keys())


@routes.post("/{tenant}/oauth2/v2.0/token")
async def token(call: Call) -> web.Response:
    """Issue a token to an application that shows its secret."""
    _check_tenant(call)
    form = await call.request.post()
    grant = str(form.get("grant_type", ""))
    if grant != "client_credentials":
        raise entra_error(
            "unsupported_grant_type", f"AADSTS70003: The app requested an unsupported grant type '{grant}'.", 400
        )
    secret, client = form.get("client_secret"), str(form.get("client_id", ""))
    if not isinstance(secret, str):
        raise entra_error(
            "invalid_client",
            "AADSTS7000216: 'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' "
            "grant.",
            401,
        )
    scope = str(form.get("scope", ""))
    if not scope.endswith("/.default"):
        raise entra_error("invalid_scope", f"AADSTS1002012: The provided value for scope {scope} is not valid.", 400)
    principal = tokens(call.platform).principal_with_secret(client, secret)
    # Entra drops "/.default" and nothing else: a resource that ends in a slash keeps it.
    access = tokens(call.platform).issue(principal, scope.removesuffix("/.default"))
    return reply(
        {
            "token_type": "Bearer",
            "expires_in": LIFETIME_SECONDS,
            "ext_expires_in": LIFETIME_SECONDS,
            "access_token": access,
        }
    )


@identity_routes.get("/msi/token")
async def managed_identity_token(call: Call) -> web.Response:
    """Issue a token for the managed identity whose secret header the caller shows (App Service's protocol)."""
    secret = call.request.headers.get("X-IDENTITY-HEADER", "")
    for document in call.platform.store.of_type(_SECRETS):
        if document.body["secret"] == secret:
            break
    else:
        raise AzureError(401, "Unauthorized", "The X-IDENTITY-HEADER is missing or wrong.")
    principal = Principal(document.body["objectId"], document.body["clientId"])
    asked = call.query.get("client_id")
    if asked and asked.lower() != principal.client_id.lower():
        raise AzureError(400, "BadRequest", f"No managed identity with client id '{asked}' is assigned here.")
    resource = call.query.get("resource")
    if not resource:
        raise AzureError(400, "BadRequest", "The query parameter 'resource' is required.")
    access = tokens(call.platform).issue(principal, resource)
    return reply(
        {
            "access_token": access,
            "expires_on": str(int(time.time()) + LIFETIME_SECONDS),
            "resource": resource,
            "token_type": "Bearer",
            "client_id": principal.client_id,
        }
    )


def identity_environment(platform: Platform, principal: Principal) -> dict[str, str]:
    """Return the environment variables by which a process acts as a managed identity."""
    key = f"{_SECRETS}/{principal.client_id}"
    document = platform.store.get(key)
    if document is None:
        import secrets

        body = {"secret": secrets.token_urlsafe(24), "objectId": principal.object_id, "clientId": principal.client_id}
        document = platform.store.put(key, _SECRETS, body)
    return {
        "IDENTITY_ENDPOINT": f"https://{IDENTITY_HOST}/msi/token",
        "IDENTITY_HEADER": document.body["secret"],
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        "DEFAULT_IDENTITY_CLIENT_ID": principal.client_id,
    }


def identity_principal(platform: Platform, identity_id: str) -> Principal:
    """Return the principal of a user-assigned identity; AzureError 400 when there is no such identity."""
    document = platform.store.get(identity_id)
    if document is None or document.type != IDENTITY_TYPE.lower():
        raise AzureError(400, "FailedIdentityOperation", f"The user-assigned identity '{identity_id}' was not found.")
    properties = document.body["properties"]
    return Principal(properties["principalId"], properties["clientId"])


def assigned_identities(platform: Platform, names: Iterable[str]) -> Json:
    """Return `userAssignedIdentities` as ARM shows it: id → {principalId, clientId}; AzureError 400 for no identity."""
    found = {name: identity_principal(platform, name) for name in names}
    return {name: {"principalId": who.object_id, "clientId": who.client_id} for name, who in found.items()}


def tokens(platform: Platform) -> Tokens:
    """Return the platform's token signer."""
    signer: Tokens | None = platform.parts.get("entra")
    if signer is None:
        signer = platform.parts["entra"] = Tokens(platform.store)
    return signer


def _check_tenant(call: Call) -> None:
    tenant = call.parameters["tenant"].lower()
    if tenant not in (TENANT_ID, "common", "organizations"):
        raise entra_error(
            "invalid_tenant",
            f"AADSTS90002: Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are "
            "signing into the correct cloud. This is the local Azure: it knows no tenant but its own.",
            400,
        )


def _configuration() -> web.Response:
    base = f"https://{LOGIN}/{TENANT_ID}"
    return reply(
        {
            "issuer": ISSUER,
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "response_types_supported": ["code", "id_token", "token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "tenant_region_scope": "EU",
            "cloud_instance_name": "microsoftonline.com",
        }
    )
