"""The HTTP surface of a registry's deployment templates: the data plane of generic assets."""

from __future__ import annotations

from aiohttp import web

from amlite.core.errors import AzureError
from amlite.core.listing import active, page
from amlite.core.routing import AUTHENTICATED, Call, reply
from amlite.services.machinelearning import references, shared_assets, versions
from amlite.services.machinelearning.addresses import data_routes
from amlite.services.registries import access, assets, templates
from amlite.services.registries.addresses import REGISTRY, readable_registry, registry_of

_REGISTRY = f"/genericasset/v2.0{REGISTRY}"
_VERSION = f"{_REGISTRY}/{templates.KIND}/{{name}}/versions/{{version}}"

routes = data_routes()


@routes.get(f"{_REGISTRY}/{templates.KIND}", action=AUTHENTICATED)
async def list_templates(call: Call) -> web.Response:
    """List the versions of all templates, the oldest first. `count` limits them."""
    base = f"{references.registry_uri(readable_registry(call).body['name'])}/{templates.KIND}"
    found = call.platform.store.below(base, assets.version_type(templates.KIND))
    selected = templates.listed(
        {"name": call.query.get("name"), "stage": call.query.get("stage"), "tags": call.query.get("tags")}, found
    )
    known = {each.id: each for each in selected}
    bodies = [templates.shown(known[body["id"]]) for body in active(call.query, [each.body for each in selected])]
    return page(call, bodies[: call.number("count", len(bodies))])


@routes.get(_VERSION, action=AUTHENTICATED)
async def get_template(call: Call) -> web.Response:
    """Return one version."""
    owner = references.registry_uri(readable_registry(call).body["name"])
    name, version = call.parameters["name"], call.parameters["version"]
    return reply(templates.shown(references.version(call.platform, owner, templates.KIND, name, version)))


@routes.post(_VERSION, action=access.WRITE)
@routes.post(f"{_REGISTRY}/{{name}}/versions/{{version}}", action=access.WRITE)
async def put_template(call: Call) -> web.Response:
    """Create a version, or change the tags, the description or the stage of an existing one. It is there at once.

    azure-ai-ml names the type in the path, Microsoft's articles in the body alone.
    """
    body = await call.json()
    owner, name, version = registry_of(call), call.parameters["name"], call.parameters["version"]
    if f"/{templates.KIND}/" not in call.path.lower() and body.get("type") != templates.KIND:
        raise AzureError(400, "ValidationError", f"type: must be '{templates.KIND}'; no other asset is known here.")
    path = assets.path_of(owner, templates.KIND, name, version)
    assets.refuse_deleted(call.platform, path)
    old = call.platform.store.get(path)
    if old is None:
        shared_assets.require(call.platform, call.principal, body)
    properties = templates.prepare(call.platform, name, version, body, old.body["properties"] if old else None)
    base, kind = assets.path_of(owner, templates.KIND, name), assets.container_type(templates.KIND)
    stored = versions.keep(call.platform, base, kind, version, properties, call.principal)
    return reply({"status": "Succeeded", "result": {"assetId": stored.id}})


@routes.delete(_VERSION, action=access.DELETE)
async def delete_template(call: Call) -> web.Response:
    """Delete a version, which cannot be created again. Deployments that were made with it stay as they are."""
    path = assets.path_of(registry_of(call), templates.KIND, call.parameters["name"], call.parameters["version"])
    return web.Response(status=200 if assets.bury(call.platform, path) else 204)
