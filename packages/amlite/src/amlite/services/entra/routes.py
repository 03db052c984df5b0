"""Entra ID's HTTP surface."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from aiohttp import web

from amlite import TENANT_ID
from amlite.control.address import SIGN_IN
from amlite.control.table import ACTION, control_routes, open_routes
from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.routing import Call, Routes, reply
from amlite.core.wire import Json
from amlite.services.entra.federation import ASSERTION_TYPE, principal_of_assertion
from amlite.services.entra.tokens import ISSUER, LIFETIME_SECONDS, entra_error, tokens

LOGIN = "login.microsoftonline.com"
# Older names of the same service, which clients still use. A sign-in there must not leave this machine either.
_ALIASES = ("login.windows.net", "login.microsoft.com", "sts.windows.net")
routes = Routes(LOGIN, audiences=None)
own_routes = control_routes()
sign_in_routes = open_routes()


@routes.get("/common/discovery/instance")
async def discover_instance(call: Call) -> web.Response:
    """Confirm that this authority is known."""
    metadata = [{"preferred_network": LOGIN, "preferred_cache": _ALIASES[0], "aliases": [LOGIN, *_ALIASES]}]
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
    """Issue a token to an application, to an identity with an external token, or to a user."""
    form = await _form(call)
    sign_in = _sign_in(form)
    scope = next((part for part in form.get("scope", "").split() if part.endswith("/.default")), None)
    if scope is None:
        raise entra_error(
            "invalid_scope", f"AADSTS1002012: The provided value for scope {form.get('scope', '')} is not valid.", 400
        )
    # Entra removes only "/.default". A resource that ends in a slash keeps the slash.
    return reply(_issued(call, sign_in(call, form), scope.removesuffix("/.default")))


@sign_in_routes.post(SIGN_IN)
async def own_token(call: Call) -> web.StreamResponse:
    """Issue a token to amlite's command line, so that no fault of Entra ID locks it out."""
    return await token(call)


@routes.post("/{tenant}/oauth2/token")
async def token_v1(call: Call) -> web.Response:
    """Issue a token for a resource (v1 address), which the clients of Databricks ask for."""
    form = await _form(call)
    sign_in = _sign_in(form)
    resource = form.get("resource")
    if not resource:
        raise entra_error(
            "invalid_request", "AADSTS900144: The request body must contain the following parameter: 'resource'.", 400
        )
    issued = _issued(call, sign_in(call, form), resource)
    until = int(call.platform.clock.timestamp()) + int(issued["expires_in"])
    return reply({**issued, "expires_in": str(issued["expires_in"]), "expires_on": str(until), "resource": resource})


async def _form(call: Call) -> dict[str, str]:
    _check_tenant(call)
    return await call.form()


def _sign_in(form: Mapping[str, str]) -> Callable[[Call, Mapping[str, str]], Principal]:
    grant = form.get("grant_type", "")
    if grant not in _GRANTS:
        raise entra_error(
            "unsupported_grant_type", f"AADSTS70003: The app requested an unsupported grant type '{grant}'.", 400
        )
    return _GRANTS[grant]


def _issued(call: Call, principal: Principal, audience: str) -> Json:
    signer = tokens(call.platform)
    seconds = signer.told_seconds
    access = signer.issue(principal, audience)
    return {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": access}


def _application(call: Call, form: Mapping[str, str]) -> Principal:
    client, secret = form.get("client_id", ""), form.get("client_secret")
    if secret is not None:
        return tokens(call.platform).principal_with_secret(client, secret)
    if "client_assertion" not in form:
        raise entra_error(
            "invalid_client",
            "AADSTS7000216: 'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' "
            "grant.",
            401,
        )
    kind = form.get("client_assertion_type", "")
    if kind != ASSERTION_TYPE:
        raise entra_error("invalid_request", f"AADSTS90023: Unsupported 'client_assertion_type' value '{kind}'.", 400)
    return principal_of_assertion(call.platform, client, form["client_assertion"])


def _user(call: Call, form: Mapping[str, str]) -> Principal:
    return tokens(call.platform).principal_with_password(form.get("username", ""), form.get("password", ""))


_GRANTS: Mapping[str, Callable[[Call, Mapping[str, str]], Principal]] = {
    "client_credentials": _application,
    "password": _user,
}


@own_routes.post("/applications", action=ACTION)
async def register_application(call: Call) -> web.Response:
    """Create an application without roles, and return its credentials."""
    principal, secret = tokens(call.platform).register()
    return reply({"clientId": principal.client_id, "objectId": principal.object_id, "secret": secret}, 201)


@own_routes.post("/users", action=ACTION)
async def register_user(call: Call) -> web.Response:
    """Create a user without roles, and return its credentials."""
    principal, password = tokens(call.platform).register_user()
    return reply({"userName": principal.client_id, "objectId": principal.object_id, "password": password}, 201)


@own_routes.post("/token-lifetime", action=ACTION)
async def tell_lifetime(call: Call) -> web.Response:
    """Set the lifetime of tokens that clients see, `{"seconds": N}`. Tokens remain valid for an hour."""
    seconds = (await call.json()).get("seconds")
    if not isinstance(seconds, int) or not 0 <= seconds <= LIFETIME_SECONDS:
        raise AzureError(400, "InvalidLifetime", f"'seconds' must be a whole number from 0 to {LIFETIME_SECONDS}.")
    tokens(call.platform).told_seconds = seconds
    return reply({"seconds": seconds})


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


def _alias(host: str) -> Routes:
    table = Routes(host, audiences=None)
    table.entries += [replace(route, table=table) for route in routes.entries]
    return table


alias_routes = [_alias(host) for host in _ALIASES]
