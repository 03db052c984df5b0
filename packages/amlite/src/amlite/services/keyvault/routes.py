"""The HTTP surface of soft-deleted vaults, below a subscription and a location."""

from __future__ import annotations

from aiohttp import web

from amlite.core import wire
from amlite.core.deleted import DeletedResource
from amlite.core.errors import AzureError
from amlite.core.routing import ARM_HOST, Call, Routes, reply
from amlite.core.wire import Json
from amlite.services.keyvault.types import VAULT_TYPE

routes = Routes(ARM_HOST)
_PROVIDER = "/subscriptions/{subscription}/providers/Microsoft.KeyVault"
_VAULT = f"{_PROVIDER}/locations/{{location}}/deletedVaults/{{vault}}"


@routes.get(f"{_PROVIDER}/deletedVaults", action="Microsoft.KeyVault/deletedVaults/read")
async def list_deleted(call: Call) -> web.Response:
    """List the subscription's soft-deleted vaults."""
    found = [_envelope(call, each) for each in call.platform.deleted.of_type(VAULT_TYPE)]
    return reply({"value": found})


@routes.get(_VAULT, action="Microsoft.KeyVault/locations/deletedVaults/read")
async def get_deleted(call: Call) -> web.Response:
    """Describe a soft-deleted vault: the vault before its deletion, and the date of its purge."""
    return reply(_envelope(call, _deleted(call)))


@routes.post(f"{_VAULT}/purge", action="Microsoft.KeyVault/locations/deletedVaults/purge/action")
async def purge(call: Call) -> web.Response:
    """Delete a soft-deleted vault permanently, unless purge protection forbids it."""
    deleted = _deleted(call)
    if deleted.body["properties"].get("enablePurgeProtection"):
        raise AzureError(405, "MethodNotAllowed", "Operation 'DeletedVaultPurge' is not allowed.")
    call.platform.deleted.forget(deleted.body["id"])
    return web.Response(status=200)


def _deleted(call: Call) -> DeletedResource:
    name = call.parameters["vault"]
    found = call.platform.deleted.named(VAULT_TYPE, name)
    if found is None or wire.region(call.parameters["location"]) != found.body["location"]:
        raise AzureError(404, "DeletedVaultNotFound", f"The specified deleted vault '{name}' does not exist.")
    return found


def _envelope(call: Call, deleted: DeletedResource) -> Json:
    body = deleted.body
    base = f"/subscriptions/{call.parameters['subscription']}/providers/Microsoft.KeyVault"
    properties: Json = {
        "vaultId": body["id"],
        "location": body["location"],
        "tags": body["tags"],
        "deletionDate": deleted.deleted.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "scheduledPurgeDate": deleted.purged.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if body["properties"].get("enablePurgeProtection"):
        properties["purgeProtectionEnabled"] = True
    return {
        "id": f"{base}/locations/{body['location']}/deletedVaults/{body['name']}",
        "name": body["name"],
        "type": "Microsoft.KeyVault/deletedVaults",
        "properties": properties,
    }
