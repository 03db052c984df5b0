"""What the docker provider, a process of its own, asks of amlite: an engine, and the registries where it finds them."""

from __future__ import annotations

from aiohttp import web

from amlite.control.table import ACTION, control_routes
from amlite.core import docker_engine
from amlite.core.errors import AzureError, StartError
from amlite.core.routing import Call, reply
from amlite.services.containerregistry import loopback

IMAGES = "docker/images"
routes = control_routes()


@routes.post("/docker", action=ACTION)
async def start(call: Call) -> web.Response:
    """Start what building and pushing needs: `{"host", "registryPort", "baseImage", "private"}`."""
    engine = docker_engine.found()
    try:
        host = await docker_engine.ensure(call.platform)
        port = await loopback.port(call.platform)
    except StartError as error:
        raise AzureError(503, "DockerUnavailable", str(error)) from error
    base = str(engine.base_image) if engine.base_image else None
    return reply({"host": host, "registryPort": port, "baseImage": base, "private": engine.mode == "private"})


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
