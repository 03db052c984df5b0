"""The names of resource types whose names are unique in Azure, and `checkNameAvailability` for them."""

from __future__ import annotations

import re

from aiohttp import web

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.routing import ARM_HOST, Call, Routes, reply
from amlite.core.service import Services
from amlite.core.wire import Json


def routes(kind: ResourceType, invalid: str, taken: str = "") -> Routes:
    """Return the route of a type. `invalid` is the type's reason for names that break its naming rule.

    `taken` is the message for a name that is taken, if it differs from the message of a rejected creation.
    """
    provider = kind.name.partition("/")[0]
    table = Routes(ARM_HOST)

    async def check(call: Call) -> web.Response:
        body = await call.json()
        name = body.get("name")
        if not isinstance(name, str) or str(body.get("type")).lower() != kind.name.lower():
            raise AzureError(400, "BadRequest", f"The body must have a name, and the type '{kind.name}'.")
        if re.fullmatch(kind.pattern, name) is None:
            return reply(_answer(invalid, f"The name '{name}' is invalid. {kind.rule}"))
        if is_taken(call.platform, kind, name):
            return reply(_answer("AlreadyExists", (taken or kind.taken[1]).format(name=name)))
        return reply({"nameAvailable": True})

    path = f"/subscriptions/{{subscription}}/providers/{provider}/checkNameAvailability"
    table.post(path, action=f"{provider}/checkNameAvailability/read")(check)
    return table


def is_taken(platform: Platform, kind: ResourceType, name: str) -> bool:
    """Return whether a resource of a type has a name, or a soft-deleted or linked resource reserves it."""
    reserved = platform.deleted.named(kind.name, name) is not None or is_linked(platform, kind, name)
    return reserved or is_live(platform, kind, name)


def is_live(platform: Platform, kind: ResourceType, name: str) -> bool:
    """Return whether a resource of a type has a name."""
    return any(other.body["name"].lower() == name.lower() for other in platform.store.of_type(kind.name))


def is_linked(platform: Platform, kind: ResourceType, name: str, own: str = "") -> bool:
    """Return whether a resource still names one of a type with a name and another id than the `own` one.

    A workspace whose storage account was deleted would use a new account of that name, which somebody else creates.
    """
    linking = [each for each in platform.part(Services).types.values() if each.linked]
    links = (
        link for each in linking for other in platform.store.of_type(each.name) for link, _ in each.links(other.body)
    )
    for link in links:
        id = ResourceId.of(link)
        if (id.type.lower(), id.name.lower()) == (kind.name.lower(), name.lower()) and link.lower() != own.lower():
            return True
    return False


def _answer(reason: str, message: str) -> Json:
    return {"nameAvailable": False, "reason": reason, "message": message}
