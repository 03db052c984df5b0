"""Lists of resources: with or without the archived ones, one page at a time."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from aiohttp import web

from amlite.core.errors import AzureError
from amlite.core.routing import Call, reply
from amlite.core.wire import Json

_PAGE = 100


def view_type(query: Mapping[str, str], default: str) -> str:
    """Return `listViewType` in lower case, however a client spells it: `activeonly`, `archivedonly`, `all` and more."""
    return query.get("listViewType", default).rpartition(".")[2].replace("_", "").lower()


def active(query: Mapping[str, str], bodies: list[Json]) -> list[Json]:
    """Return the resources that are not archived, unless `listViewType` requests archived ones or all."""
    view = view_type(query, "ActiveOnly")
    if view == "all":
        return bodies
    return [body for body in bodies if bool(body["properties"].get("isArchived")) is (view == "archivedonly")]


def ordered(query: Mapping[str, str], bodies: list[Json]) -> list[Json]:
    """Return versions, which are given oldest first, in the direction of `$orderBy`."""
    return bodies[::-1] if query.get("$orderBy", "").lower().split()[1:] == ["desc"] else bodies


def _start(token: str) -> int:
    """Return the place at which a page starts, by the token in an earlier page's link. AzureError 400 for any other."""
    try:
        return int(base64.urlsafe_b64decode(token).decode("ascii")) if token else 0
    except ValueError as error:
        raise AzureError(400, "InvalidQueryParameterValue", f"The token '{token[:60]}' is not of this list.") from error


def page(call: Call, bodies: list[Json]) -> web.Response:
    """Return one page with at most `$top` bodies (100 by default), and the link to the next page."""
    if "$top" in call.query:
        return reply({"value": bodies[: call.number("$top", _PAGE)]})
    start = _start(call.query.get("$skip") or call.query.get("$skipToken") or "")
    answer: Json = {"value": bodies[start : start + _PAGE]}
    if start + _PAGE < len(bodies):
        following = base64.urlsafe_b64encode(str(start + _PAGE).encode()).decode()
        answer["nextLink"] = str(call.request.url.with_scheme("https").update_query({"$skip": following}))
    return reply(answer)
