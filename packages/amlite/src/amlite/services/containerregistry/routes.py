"""The login server `<registry>.azurecr.io`: sign-in by Entra ID token, then the distribution protocol."""

from __future__ import annotations

import re

from aiohttp import web

from amlite.core.errors import AzureError
from amlite.core.routing import ARM_AUDIENCES, Call, Routes, reply
from amlite.services.containerregistry import doors, tags, tokens
from amlite.services.containerregistry.doors import Door
from amlite.services.containerregistry.tokens import RegistryError
from amlite.services.containerregistry.types import SUFFIX
from amlite.services.entra.tokens import tokens as entra_tokens

routes = Routes(
    f"*{SUFFIX}", audiences=None, error=RegistryError, challenge=lambda call: doors.challenge(call.request, call.host)
)
# Names of repositories as the distribution specification allows them: no part is `..` or begins with a dot.
_TAGS = re.compile(
    r"(?P<repository>[a-z0-9][a-z0-9._-]*(?:/[a-z0-9][a-z0-9._-]*)*)/_tags(?:/(?P<tag>[\w][\w.-]{0,127}))?"
)
_AUDIENCES = ARM_AUDIENCES | {"https://containerregistry.azure.net"}


@routes.post("/oauth2/exchange")
async def exchange(call: Call) -> web.Response:
    """Give a refresh token for an Entra ID token."""
    door = _door(call)
    form = await call.form()
    if form.get("grant_type") != "access_token":
        raise RegistryError(400, "UNSUPPORTED", "The only grant type supported here is 'access_token'.")
    try:
        principal = entra_tokens(call.platform).principal_of(str(form.get("access_token", "")), _AUDIENCES)
    except AzureError as error:
        raise RegistryError(401, "UNAUTHORIZED", error.message) from error
    return reply({"refresh_token": tokens.refresh_token(call.platform, principal, door.registry)})


@routes.route("*", "/oauth2/token")
async def token(call: Call) -> web.Response:
    """Give an access token for a refresh token."""
    return doors.token(call.platform, call.request, await call.form(), _door(call))


@routes.route("*", "/acr/v1/{path:path}")
async def metadata(call: Call) -> web.Response:
    """List the tags of a repository, or show one. The rest of Azure's own API for registries is refused."""
    found = _TAGS.fullmatch(call.parameters["path"])
    if call.method != "GET" or found is None:
        raise RegistryError(405, "UNSUPPORTED", "The local Azure lists and shows the tags of repositories only.")
    return tags.answer(call, _door(call), found["repository"], found["tag"] or "")


@routes.route("*", "/{path:path}")
async def registry(call: Call) -> web.StreamResponse:
    """Check the access token, then forward the request to distribution."""
    return await doors.forward(call.platform, call.request, _door(call))


def _door(call: Call) -> Door:
    return doors.find(call.platform, call.host.removesuffix(SUFFIX), call.host, "")
