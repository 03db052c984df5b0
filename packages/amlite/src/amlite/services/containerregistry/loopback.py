"""The registries at a loopback port, for Docker daemons, which do not use amlite's proxy.

Paths start with the registry's name: `127.0.0.1:PORT/<registry>/<repository>`.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from amlite.core import bodies, listening
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.processes import free_port
from amlite.core.routing import refusal, reply
from amlite.services.containerregistry import distribution, doors, tokens
from amlite.services.containerregistry.tokens import RegistryError
from amlite.services.containerregistry.types import SUFFIX

_PORT = "settings/registry-port"


@dataclass
class _Listener:
    """The listener, once it is started."""

    runner: web.AppRunner | None = None
    port: int = 0


async def port(platform: Platform) -> int:
    """Return the port of the registries for a Docker daemon, and listen on it if necessary.

    The port stays the same after restarts, because it is in the daemon's names of images. Raises StartError.
    """
    await distribution.ensure(platform)
    listener = platform.part(_Listener)
    if listener.runner is None:
        saved = platform.store.get(_PORT)
        listener.port = saved.body["port"] if saved else free_port()

        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                return await _answer(platform, request)
            except AzureError as error:
                return refusal(error)

        app = web.Application(client_max_size=0)
        app.router.add_route("*", r"/{path:[\s\S]*}", answer)
        listener.runner = listening.runner(app, auto_decompress=False, shutdown_timeout=2.0)
        await listener.runner.setup()
        try:
            await web.TCPSite(listener.runner, "127.0.0.1", listener.port).start()
        except OSError:
            listener.port = free_port()
            await web.TCPSite(listener.runner, "127.0.0.1", listener.port).start()
        platform.store.put(_PORT, "settings", {"port": listener.port})
    return listener.port


def reference(image: str, port: int) -> str:
    """Return the name of a registry's image for a Docker daemon: `x.azurecr.io/a:b` -> `127.0.0.1:PORT/x/a:b`.

    Names outside `*.azurecr.io` are returned as they are.
    """
    server, slash, rest = image.partition("/")
    if not slash or not server.lower().endswith(SUFFIX):
        return image
    return f"127.0.0.1:{port}/{server.lower().removesuffix(SUFFIX)}/{rest}"


def is_here(platform: Platform, image: str) -> bool:
    """Whether an image has the name that `reference` returns for the image of a registry."""
    place = address(platform)
    return place is not None and image.startswith(place)


def address(platform: Platform) -> str | None:
    """Return the start of the names that `reference` returns, or None if it was never called."""
    saved = platform.store.get(_PORT)
    return f"127.0.0.1:{saved.body['port']}/" if saved is not None else None


async def _answer(platform: Platform, request: web.Request) -> web.StreamResponse:
    bodies.check_head(request)
    address = request.host
    if request.path == "/oauth2/token":
        # A token is for one registry, which is the first part of the scope here.
        form = await bodies.form(request, RegistryError)
        scopes = request.query.getall("scope", []) or [form.get("scope", "")]
        name = next((scope.split(":")[1].partition("/")[0] for scope in scopes if scope.count(":") >= 2), "")
        if not name:
            # `docker login` does not name a repository: any holder of a refresh token gets an empty token.
            return reply({"access_token": "", "token": ""})
        return doors.token(platform, request, form, doors.find(platform, name, address, f"{name}/"))
    found = doors.REPOSITORY.match(request.path)
    if found is None:
        if request.headers.get("Authorization", "").lower().startswith("bearer "):
            return reply({})
        error = tokens.denied("", "")
        error.headers |= doors.challenge(request, address, is_secure=False)
        raise error
    name = found["name"].partition("/")[0]
    return await doors.forward(platform, request, doors.find(platform, name, address, f"{name}/"))
