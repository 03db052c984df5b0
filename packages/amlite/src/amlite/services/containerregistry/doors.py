"""The handlers that both ways into a registry share: access tokens, and the distribution protocol."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from aiohttp import web

from amlite.core import relay
from amlite.core.errors import StartError
from amlite.core.platform import Platform
from amlite.core.processes import Child
from amlite.core.routing import reply
from amlite.services.containerregistry import admin, distribution, tokens
from amlite.services.containerregistry.tokens import RegistryError
from amlite.services.containerregistry.types import REGISTRY_TYPE, SUFFIX

_PART = r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*"
REPOSITORY = re.compile(rf"/v2/(?P<name>{_PART}(?:/{_PART})*?)/(?:manifests|blobs|tags|referrers)/")
_WITHOUT_NAME = ("/v2", "/v2/_catalog")
_BLOB = re.compile(r"/v2/.+/blobs/(?P<digest>sha256:[0-9a-f]{64})")


@dataclass(frozen=True)
class Door:
    """One of the two ways in: the registry, its id, the address of this way, and the prefix of its repositories."""

    registry: str
    registry_id: str
    address: str
    prefix: str


def find(platform: Platform, name: str, address: str, prefix: str) -> Door:
    """Return a door to the registry with a name. RegistryError 404 if it does not exist."""
    for document in platform.store.of_type(REGISTRY_TYPE):
        if document.body["name"].lower() == name.lower():
            return Door(name.lower(), document.id, address, prefix)
    raise RegistryError(404, "NAME_UNKNOWN", f"The registry '{name}{SUFFIX}' does not exist.")


def token(platform: Platform, request: web.Request, form: Mapping[str, str], door: Door) -> web.Response:
    """Give an access token for a refresh token. `form` is the body."""
    name, shown = _shown(request, form)
    registry = platform.store.get(door.registry_id)
    # The admin user may do everything in the registry.
    is_admin = registry is not None and admin.signs_in(platform, registry.body, name, shown)
    principal = None if is_admin else tokens.principal_of(platform, shown, door.registry)
    asked = request.query.getall("scope", []) or form.get("scope", "").split()
    scopes = [scope for entry in asked for scope in entry.split()]
    access = tokens.access_token(platform, principal, door.registry, door.registry_id, scopes)
    return reply({"access_token": access, "token": access, "expires_in": tokens.ACCESS_SECONDS})


def _shown(request: web.Request, form: Mapping[str, str]) -> tuple[str, str]:
    """Return the name and the secret of a request for a token. A refresh token needs no name."""
    if secret := form.get("refresh_token") or form.get("password"):
        return form.get("username", ""), secret
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        raise tokens.denied("", "")
    try:
        name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise RegistryError(401, "UNAUTHORIZED", "The Authorization header is malformed.") from error
    return name, password


async def forward(platform: Platform, request: web.Request, door: Door) -> web.StreamResponse:
    """Check the access token, then forward the request to distribution."""
    repository, action = _asked(request)
    if not repository and request.path.rstrip("/") not in _WITHOUT_NAME:
        raise RegistryError(404, "NAME_UNKNOWN", "The path names no repository.")
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    lists = _lists(request)
    try:
        if scheme.lower() != "bearer":
            raise tokens.denied(repository, action)
        if lists:
            tokens.require_catalog(platform, shown, door.registry)
        tokens.require(platform, shown, door.registry, repository, action)
    except RegistryError as error:
        error.headers |= challenge(request, door.address, is_secure=not door.prefix)
        raise
    blob = _BLOB.fullmatch(request.path)
    if (
        request.method == "HEAD"
        and blob is not None
        and tokens.permits(platform, shown, door.registry, repository, "push")
        and tokens.reads_all(platform, shown, door.registry)
    ):
        # A client that may push checks whether it must send the layer. To others, a layer of another repository is
        # missing, as in Azure: whoever knows its digest would get its content.
        inside = repository if door.prefix else f"{door.registry}/{repository}"
        await asyncio.to_thread(distribution.adopt, platform, inside, blob["digest"])
    try:
        child = await distribution.ensure(platform)
    except StartError as error:
        raise RegistryError(503, "UNAVAILABLE", str(error)) from error
    if lists:
        return await _catalog(door, child)
    return await _relay(platform, request, door, child, shown)


async def _catalog(door: Door, child: Child) -> web.Response:
    """List the repositories of this registry only."""
    async with child.http.get(child.url("/v2/_catalog?n=1000")) as answer:
        # A registry without any push has no folder and answers with 404.
        names = (await answer.json())["repositories"] if answer.status != 404 else []
    own = f"{door.registry}/"
    return reply({"repositories": [name.removeprefix(own) for name in names if name.startswith(own)]})


async def _relay(platform: Platform, request: web.Request, door: Door, child: Child, shown: str) -> web.StreamResponse:
    # Distribution keeps every repository under its registry's name; only the loopback way in says it too.
    hidden = "" if door.prefix else f"{door.registry}/"
    path = _inside(platform, request, door, hidden, shown)
    headers = relay.passed(request.headers)
    del headers["Authorization"]
    if "/manifests/" not in request.path:
        headers["Content-Type"] = "application/octet-stream"  # distribution would read a form as part of the query
    async with relay.sent(child, request, path, headers, RegistryError) as upstream:
        kept = relay.passed(upstream.headers)
        for name in ("Location", "Link"):
            if name in kept:
                kept[name] = kept[name].replace(f"/v2/{hidden}", "/v2/", 1)
        if upstream.status == 201 and "/blobs/uploads/" in request.path:
            await asyncio.to_thread(distribution.keep, platform, request.query.get("digest", ""))
        return await relay.stream(request, upstream, kept)


def _inside(platform: Platform, request: web.Request, door: Door, hidden: str, shown: str) -> str:
    """Return the path and the query at distribution, written anew: another spelling of them would not be checked."""
    path = request.path
    if REPOSITORY.match(path):
        path = f"/v2/{hidden}{path.removeprefix('/v2/')}"
    query = [(key, f"{hidden}{value}" if key == "from" else value) for key, value in request.query.items()]
    # A blob is mounted from a repository that the token may pull, of the same registry. Otherwise, it is uploaded.
    places = request.query.getall("from", [])
    if not all(
        f"{hidden}{place}".startswith(f"{door.registry}/")
        and tokens.permits(platform, shown, door.registry, place, "pull")
        for place in places
    ):
        query = [(key, value) for key, value in query if key not in ("from", "mount")]
    return f"{quote(path, safe='/:@')}?{urlencode(query)}" if query else quote(path, safe="/:@")


def challenge(request: web.Request, address: str, *, is_secure: bool = True) -> dict[str, str]:
    """Return the header of a 401 that tells a client where to get a token, and for which actions."""
    repository, action = _asked(request)
    scope = f',scope="repository:{repository}:{"pull,push" if action == "push" else action}"' if repository else ""
    scope = ',scope="registry:catalog:*"' if _lists(request) else scope
    base = f"{'https' if is_secure else 'http'}://{address}"
    return {"WWW-Authenticate": f'Bearer realm="{base}/oauth2/token",service="{address}"{scope}'}


def _asked(request: web.Request) -> tuple[str, str]:
    """Return the repository of a request, or "", and the action that it needs there."""
    found = REPOSITORY.match(request.path)
    action = {"GET": "pull", "HEAD": "pull", "DELETE": "delete"}.get(request.method, "push")
    return (found["name"] if found else ""), action


def _lists(request: web.Request) -> bool:
    return request.path.rstrip("/") == "/v2/_catalog"
