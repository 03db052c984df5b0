"""Routes for the docker provider, which is a separate process: the Docker engine and the registries' addresses."""

from __future__ import annotations

from aiohttp import web

from amlite.control.table import ACTION, control_routes
from amlite.core.errors import AzureError, StartError
from amlite.core.routing import Call, reply
from amlite.services.containerregistry import loopback
from amlite.services.environments import engine
from amlite.tools import base_image

IMAGES = "docker/images"
routes = control_routes()


@routes.post("/docker", action=ACTION)
async def start(call: Call) -> web.Response:
    """Start the engine and the registry for building and pushing; answer `{"host", "registryPort", "private"}`."""
    try:
        found = await engine.ensure(call.platform)
        port = await loopback.port(call.platform)
    except StartError as error:
        raise AzureError(503, "DockerUnavailable", str(error)) from error
    return reply({"host": found.host, "registryPort": port, "private": found.private})


@routes.post("/docker/base-image", action=ACTION)
async def substitute(call: Call) -> web.Response:
    """Provide the substitute for a base image that cannot be pulled: `{"path": the archive of a root file system}`."""
    del call
    try:
        return reply({"path": await base_image.TOOL.ensure()})
    except StartError as error:
        raise AzureError(503, "BaseImageUnavailable", str(error)) from error


@routes.post("/docker/images", action=ACTION)
async def record_image(call: Call) -> web.Response:
    """Note an image that was built: `{"name", "reference", "substituteFor": base image or null}`."""
    body = await call.json()
    call.platform.store.put(f"{IMAGES}/{body['name']}", IMAGES, body)
    return reply(body)


@routes.get("/docker/images", action=ACTION)
async def list_images(call: Call) -> web.Response:
    """List the images that were built, so that a summary can say which stand on a substitute for their base."""
    return reply({"value": [document.body for document in call.platform.store.of_type(IMAGES)]})
