"""The secrets of vaults in Resource Manager, which writes them and never returns a value.

Source: secrets.json of Microsoft.KeyVault in azure-rest-api-specs. Templates use it. Everyone else uses the vault.
"""

from __future__ import annotations

from aiohttp import web

from amlite.core.errors import AzureError
from amlite.core.listing import page
from amlite.core.published import fields
from amlite.core.resource_id import ResourceId
from amlite.core.routing import ARM_HOST, Call, Routes, reply
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.arm import resources
from amlite.services.keyvault import secrets
from amlite.services.keyvault.types import VAULT_TYPE

routes = Routes(ARM_HOST)
_ALL = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{VAULT_TYPE}/{{vault}}/secrets"
_ONE = f"{_ALL}/{{secret}}"
_BODY = {"tags": "map:str", "properties": "map:any"}
_PROPERTIES = {"value": "str", "contentType": "str", "attributes": "map:any"}


@routes.put(_ONE)
async def put_secret(call: Call) -> web.Response:
    """Create a secret, or add a version to it."""
    given, vault = await _given(call), _vault(call)
    name = call.parameters["secret"]
    if secrets.NAME.fullmatch(name) is None:
        raise AzureError(400, "BadRequest", f"The secret name '{name}' is invalid: 1-127 letters, digits and hyphens.")
    if not given.get("value"):
        raise AzureError(400, "InvalidRequestContent", "The request is missing required properties: properties.value.")
    there = {each["id"].rpartition("/")[2].lower() for each in secrets.listed(call.platform, vault)}
    version = secrets.put(call.platform, vault, name, given)
    return reply(_shown(vault, name, version), 200 if name.lower() in there else 201)


@routes.patch(_ONE)
async def patch_secret(call: Call) -> web.Response:
    """Change attributes, content type and tags of the newest version, or add one with a new value."""
    given, vault, name = await _given(call), _vault(call), call.parameters["secret"]
    newest = secrets.versions(call.platform, vault, name)[-1]
    if given.get("value"):
        changed = secrets.put(call.platform, vault, name, {**newest, **given})
    else:
        changed = secrets.update(call.platform, vault, name, newest["id"].rpartition("/")[2], given)
    return reply(_shown(vault, name, changed))


@routes.get(_ONE)
async def get_secret(call: Call) -> web.Response:
    """Describe a secret."""
    vault, name = _vault(call), call.parameters["secret"]
    return reply(_shown(vault, name, secrets.versions(call.platform, vault, name)[-1]))


@routes.get(_ALL)
async def list_secrets(call: Call) -> web.Response:
    """List the secrets of a vault."""
    vault = _vault(call)
    names = [each["id"].rpartition("/")[2] for each in secrets.listed(call.platform, vault)]
    return page(call, [_shown(vault, name, secrets.versions(call.platform, vault, name)[-1]) for name in names])


def _vault(call: Call) -> Document:
    id = call.resource_id
    return resources.resource_of(call.platform, ResourceId(id.subscription, id.group, id.namespace, id.segments[:2]))


async def _given(call: Call) -> Json:
    """Return a secret of a request in the form of the vault's own requests. Times are seconds in both."""
    body = await call.json(_BODY)
    given = fields(body.get("properties") or {}, _PROPERTIES)
    return {**given, **({"tags": body["tags"]} if body.get("tags") is not None else {})}


def _shown(vault: Document, name: str, version: Json) -> Json:
    """Return a secret as Resource Manager shows it."""
    attributes = {key: version["attributes"].get(key) for key in ("enabled", "nbf", "exp", "created", "updated")}
    properties: Json = {
        "attributes": {key: value for key, value in attributes.items() if value is not None},
        "secretUri": version["id"].rpartition("/")[0],
        "secretUriWithVersion": version["id"],
    }
    if version.get("contentType") is not None:
        properties["contentType"] = version["contentType"]
    return {
        "id": f"{vault.id}/secrets/{name}",
        "name": name,
        "type": f"{VAULT_TYPE}/secrets",
        "location": vault.body["location"],
        "tags": version.get("tags") or {},
        "properties": properties,
    }
