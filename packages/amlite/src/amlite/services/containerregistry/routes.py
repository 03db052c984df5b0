"""The login server `<registry>.azurecr.io`: sign-in by Entra ID token, then the distribution protocol.

A Docker daemon resolves names itself and knows nothing of amlite's proxy. For it the same answers are given on a
loopback port, where the registry's name comes first: `127.0.0.1:PORT/<registry>/<repository>`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from dataclasses import dataclass

from aiohttp import ClientTimeout, web
from yarl import URL

from amlite.core.access import Principal
from amlite.core.errors import AzureError, StartError
from amlite.core.platform import Platform
from amlite.core.processes import free_port
from amlite.core.routing import ARM_AUDIENCES, Call, Routes, reply
from amlite.services.containerregistry import distribution, tokens
from amlite.services.containerregistry.tokens import RegistryError
from amlite.services.containerregistry.types import REGISTRY_TYPE, SUFFIX
from amlite.services.entra.routes import tokens as entra_tokens

routes = Routes(f"*{SUFFIX}", audiences=None)
_AUDIENCES = ARM_AUDIENCES | {"https://containerregistry.azure.net"}
_PORT = "settings/registry-port"
_HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "proxy-authorization"}
_BLOB = re.compile(r"/v2/.+/blobs/(?P<digest>sha256:[0-9a-f]{64})")
_REPOSITORY = re.compile(r"/v2/(?P<name>.+?)/(?:manifests|blobs|tags|referrers)/")


@dataclass(frozen=True)
class _Door:
    """One of the two ways in: the registry meant, its id, how this way calls itself, and what precedes repositories."""

    registry: str
    registry_id: str
    address: str
    prefix: str


@routes.post("/oauth2/exchange")
async def exchange(call: Call) -> web.Response:
    """Give a refresh token for an Entra ID token."""
    door = _azure_door(call)
    form = await call.request.post()
    if form.get("grant_type") != "access_token":
        raise RegistryError(400, "UNSUPPORTED", "The only grant type supported here is 'access_token'.")
    try:
        claims = entra_tokens(call.platform).check(str(form.get("access_token", "")), frozenset(_AUDIENCES))
    except AzureError as error:
        raise RegistryError(401, "UNAUTHORIZED", error.message) from error
    principal = Principal(claims["oid"], claims["appid"])
    return reply({"refresh_token": tokens.refresh_token(call.platform, principal, door.registry)})


@routes.route("*", "/oauth2/token")
async def token(call: Call) -> web.Response:
    """Give an access token for a refresh token."""
    return await _token(call.platform, call.request, _azure_door(call))


@routes.route("*", "/{path:path}")
async def registry(call: Call) -> web.StreamResponse:
    """Check the access token, then let distribution answer."""
    return await _forward(call.platform, call.request, _azure_door(call))


async def loopback_port(platform: Platform) -> int:
    """Return the port at which a Docker daemon finds the registries, listening there when nothing does yet.

    The port is kept over restarts: the daemon remembers images by it. Raises StartError.
    """
    await distribution.ensure(platform)
    if "containerregistry" not in platform.parts:
        saved = platform.store.get(_PORT)
        port = saved.body["port"] if saved else free_port()

        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                return await _loopback(platform, request)
            except AzureError as error:
                text, kind = error.content()
                return web.Response(status=error.status, text=text, content_type=kind, headers=error.headers)

        app = web.Application(client_max_size=0)
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=2.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
        except OSError:
            port = free_port()
            await web.TCPSite(runner, "127.0.0.1", port).start()
        platform.store.put(_PORT, "settings", {"port": port})
        platform.parts["containerregistry"] = (runner, port)
    return int(platform.parts["containerregistry"][1])


async def _loopback(platform: Platform, request: web.Request) -> web.StreamResponse:
    address = request.host
    if request.path == "/oauth2/token":
        # A token is for one registry; on this way in, the scope's first part says which.
        scopes = request.query.getall("scope", []) or [str((await request.post()).get("scope", ""))]
        name = next((scope.split(":")[1].partition("/")[0] for scope in scopes if scope.count(":") >= 2), "")
        if not name:
            # `docker login` asks for no repository; whoever holds a refresh token may have a token for nothing.
            return reply({"access_token": "", "token": ""})
        return await _token(platform, request, _door(platform, name, address, f"{name}/"))
    found = _REPOSITORY.match(request.path)
    if found is None:
        if request.headers.get("Authorization", "").lower().startswith("bearer "):
            return reply({})
        raise _challenge(f"http://{address}", address, "", "")
    name = found["name"].partition("/")[0]
    return await _forward(platform, request, _door(platform, name, address, f"{name}/"))


def _azure_door(call: Call) -> _Door:
    name = call.host.removesuffix(SUFFIX)
    return _door(call.platform, name, call.host, "")


def _door(platform: Platform, name: str, address: str, prefix: str) -> _Door:
    for document in platform.store.of_type(REGISTRY_TYPE):
        if document.body["name"].lower() == name.lower():
            return _Door(name.lower(), document.id, address, prefix)
    raise RegistryError(404, "NAME_UNKNOWN", f"The registry '{name}{SUFFIX}' does not exist.")


async def _token(platform: Platform, request: web.Request, door: _Door) -> web.Response:
    form = await request.post() if request.method == "POST" else {}
    shown = str(form.get("refresh_token", "")) or str(form.get("password", "")) or _basic_password(request)
    principal = tokens.principal_of(platform, shown, door.registry)
    asked = request.query.getall("scope", []) or str(form.get("scope", "")).split()
    scopes = [scope for entry in asked for scope in entry.split()]
    access = tokens.access_token(platform, principal, door.registry, door.registry_id, scopes)
    return reply({"access_token": access, "token": access, "expires_in": tokens.ACCESS_SECONDS})


def _basic_password(request: web.Request) -> str:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        raise tokens.denied("", "")
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError) as error:
        raise RegistryError(401, "UNAUTHORIZED", "The Authorization header is malformed.") from error


async def _forward(platform: Platform, request: web.Request, door: _Door) -> web.StreamResponse:
    found = _REPOSITORY.match(request.path)
    repository = found["name"] if found else ""
    action = {"GET": "pull", "HEAD": "pull", "DELETE": "delete"}.get(request.method, "push")
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    base = f"http://{door.address}" if door.prefix else f"https://{door.address}"
    if scheme.lower() != "bearer":
        raise _challenge(base, door.address, repository, action)
    try:
        tokens.require(platform, shown, door.registry, repository, action)
    except RegistryError as error:
        error.headers |= _challenge(base, door.address, repository, action).headers
        raise
    blob = _BLOB.fullmatch(request.path)
    if (
        request.method == "HEAD"
        and blob is not None
        and tokens.permits(platform, shown, door.registry, repository, "push")
    ):
        # Whoever may push asks in order to learn whether the layer must be sent.
        inside = repository if door.prefix else f"{door.registry}/{repository}"
        await asyncio.to_thread(distribution.adopt, platform, inside, blob["digest"])
    try:
        child = await distribution.ensure(platform)
    except StartError as error:
        raise RegistryError(503, "UNAVAILABLE", str(error)) from error
    if request.path.rstrip("/") == "/v2/_catalog":
        return await _catalog(platform, door, child.port)
    return await _relay(platform, request, door, child.port)


async def _catalog(platform: Platform, door: _Door, port: int) -> web.Response:
    """List the repositories of this registry alone."""
    async with platform.http.get(f"http://127.0.0.1:{port}/v2/_catalog", params={"n": "1000"}) as answer:
        # A registry that was never pushed to has no folder yet, and answers 404.
        names = (await answer.json())["repositories"] if answer.status != 404 else []
    own = f"{door.registry}/"
    return reply({"repositories": [name.removeprefix(own) for name in names if name.startswith(own)]})


async def _relay(platform: Platform, request: web.Request, door: _Door, port: int) -> web.StreamResponse:
    # Distribution keeps every repository under its registry's name; only the loopback way in says it too.
    hidden = "" if door.prefix else f"{door.registry}/"
    path = request.raw_path
    if _REPOSITORY.match(request.path):
        path = path.replace("/v2/", f"/v2/{hidden}", 1)
    headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_HEADERS}
    del headers["Authorization"]
    # A blob mounted from another repository is named without its registry, too.
    path = re.sub(r"([?&]from=)", rf"\g<1>{hidden.replace('/', '%2F')}", path)
    upstream = await platform.http.request(
        request.method,
        URL(f"http://127.0.0.1:{port}{path}", encoded=True),
        headers=headers,
        data=request.content if request.body_exists else None,
        allow_redirects=False,
        timeout=ClientTimeout(total=None),
        auto_decompress=False,
        skip_auto_headers=["Content-Type", "User-Agent", "Accept-Encoding"],
    )
    async with upstream:
        answer = web.StreamResponse(status=upstream.status)
        for name, value in upstream.headers.items():
            if name.lower() in ("location", "link"):
                answer.headers.add(name, value.replace(f"/v2/{hidden}", "/v2/", 1))
            elif name.lower() not in _HOP_HEADERS:
                answer.headers.add(name, value)
        if upstream.status == 201 and "/blobs/uploads/" in request.path:
            await asyncio.to_thread(distribution.keep, platform, request.query.get("digest", ""))
        await answer.prepare(request)
        if request.method != "HEAD":
            async for chunk in upstream.content.iter_chunked(1 << 18):
                await answer.write(chunk)
        await answer.write_eof()
    return answer


def _challenge(base: str, service: str, repository: str, action: str) -> RegistryError:
    error = tokens.denied(repository, action)
    scope = f',scope="repository:{repository}:{"pull,push" if action == "push" else action}"' if repository else ""
    error.headers["WWW-Authenticate"] = f'Bearer realm="{base}/oauth2/token",service="{service}"{scope}'
    return error


def loopback_reference(image: str, port: int) -> str:
    """The name by which a Docker daemon finds an image of a registry: `x.azurecr.io/a:b` -> `127.0.0.1:PORT/x/a:b`.

    Names outside `*.azurecr.io` are returned as they are.
    """
    server, slash, rest = image.partition("/")
    if not slash or not server.lower().endswith(SUFFIX):
        return image
    return f"127.0.0.1:{port}/{server.lower().removesuffix(SUFFIX)}/{rest}"
