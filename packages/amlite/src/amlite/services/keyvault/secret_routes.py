"""The secrets of vaults, `https://<vault>.vault.azure.net/secrets`. Keys and certificates are refused."""

from __future__ import annotations

from aiohttp import web

from amlite import TENANT_ID
from amlite.core.errors import AzureError
from amlite.core.published import fields
from amlite.core.routing import Call, Routes, reply
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.entra.tokens import tokens
from amlite.services.keyvault import secrets

routes = Routes("*.vault.azure.net", audiences=None)
_BODY = {"value": "str", "contentType": "str", "tags": "map:str", "attributes": "map:any"}
_ATTRIBUTES = {"enabled": "bool", "nbf": "int", "exp": "int"}
_RESOURCE = "https://vault.azure.net"
# Clients learn from this header for which tenant and resource they need a token.
_CHALLENGE = f'Bearer authorization="https://login.microsoftonline.com/{TENANT_ID}", resource="{_RESOURCE}"'


@routes.put("/secrets/{name}")
async def put_secret(call: Call) -> web.Response:
    """Add a version of a secret."""
    _vault(call, "set")  # a stranger sends no body
    body = await _given(call)
    vault = _vault(call, "set")
    if secrets.NAME.fullmatch(call.parameters["name"]) is None:
        raise AzureError(400, "BadParameter", "The request URI contains an invalid name: " + call.parameters["name"])
    if "value" not in body:
        raise AzureError(400, "BadParameter", "Property value has invalid value\r\n")
    return reply(secrets.put(call.platform, vault, call.parameters["name"], body))


@routes.get("/secrets/{name}")
@routes.get("/secrets/{name}/{version}")
async def get_secret(call: Call) -> web.Response:
    """Return a secret with its value."""
    version = call.parameters.get("version", "")
    return reply(secrets.get(call.platform, _vault(call, "get"), call.parameters["name"], version))


@routes.patch("/secrets/{name}/{version}")
async def patch_secret(call: Call) -> web.Response:
    """Change a version's attributes, content type or tags."""
    _vault(call, "update")  # a stranger sends no body
    body = await _given(call)
    vault = _vault(call, "update")
    return reply(secrets.update(call.platform, vault, call.parameters["name"], call.parameters["version"], body))


@routes.get("/secrets")
async def list_secrets(call: Call) -> web.Response:
    """List the secrets without their values."""
    return reply({"value": secrets.listed(call.platform, _vault(call, "list")), "nextLink": None})


@routes.get("/secrets/{name}/versions")
async def list_versions(call: Call) -> web.Response:
    """List the versions of a secret without their values."""
    found = secrets.versions(call.platform, _vault(call, "list"), call.parameters["name"])
    return reply({"value": found, "nextLink": None})


@routes.delete("/secrets/{name}")
async def delete_secret(call: Call) -> web.Response:
    """Delete a secret softly."""
    return reply(secrets.delete(call.platform, _vault(call, "delete"), call.parameters["name"]))


@routes.get("/deletedsecrets")
async def list_deleted(call: Call) -> web.Response:
    """List the soft-deleted secrets."""
    return reply({"value": secrets.listed(call.platform, _vault(call, "list"), deleted=True), "nextLink": None})


@routes.get("/deletedsecrets/{name}")
async def get_deleted(call: Call) -> web.Response:
    """Describe a soft-deleted secret."""
    vault = _vault(call, "get")
    return reply(secrets.described(vault, secrets.deleted(call.platform, vault, call.parameters["name"])))


@routes.post("/deletedsecrets/{name}/recover")
async def recover_deleted(call: Call) -> web.Response:
    """Take back the deletion of a secret."""
    return reply(secrets.recover(call.platform, _vault(call, "recover"), call.parameters["name"]))


@routes.delete("/deletedsecrets/{name}")
async def purge_deleted(call: Call) -> web.Response:
    """Delete a soft-deleted secret permanently."""
    secrets.purge(call.platform, _vault(call, "purge"), call.parameters["name"])
    return web.Response(status=204)


@routes.route("*", "/{path:path}")
async def refuse(call: Call) -> web.StreamResponse:
    """Refuse keys and certificates."""
    raise AzureError(501, "NotImplemented", f"{call.host} has secrets only: this local Azure has no {call.path}.")


async def _given(call: Call) -> Json:
    """Return the body of a request about a secret. AzureError 400 for a field of another type."""

    def refuse(told: str) -> AzureError:
        return AzureError(400, "BadParameter", f"Property has invalid value: {told}")

    given = fields(await call.json(), _BODY, refuse)
    return {**given, "attributes": fields(given.get("attributes", {}), _ATTRIBUTES, refuse)}


def _vault(call: Call, verb: str) -> Document:
    """Return the vault of a request whose caller may do this; raises AzureError 401, 403 or 404."""
    if call.bearer is None:
        raise AzureError(
            401, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.",
            headers={"WWW-Authenticate": _CHALLENGE},
        )  # fmt: skip
    principal = tokens(call.platform).principal_of(call.bearer, frozenset({_RESOURCE}))
    vault = secrets.vault_of(call.platform, call.host.partition(".")[0])
    secrets.require(call.platform, vault, principal, verb, call.parameters.get("name", ""))
    return vault
