"""The lists of resources of a group and of the subscription: `$filter`, `$expand` and pages.

Source: resources.json of azure-rest-api-specs, Resources_List.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.service import Services
from amlite.core.wire import Json

_TEXT = r"'((?:[^']|'')*)'"
_FIELDS = ("location", "name", "resourceGroup", "resourceType", "tagName", "tagValue", "kind", "identity/principalId")
_COMPARED = re.compile(rf"({'|'.join(_FIELDS)})\s+(eq|ne)\s+{_TEXT}", re.IGNORECASE)
_INSIDE = re.compile(rf"substringof\(\s*{_TEXT}\s*,\s*(name|resourceGroup)\s*\)", re.IGNORECASE)
# A text, a word, or the space between: each is matched once, so that a long filter takes no long time.
_PIECE = re.compile(r"'(?:[^']|'')*'|[^'\s]+|\s+|'")
_TAGS = ("tagname", "tagvalue")
_EXPANDED = {"createdTime": "createdAt", "changedTime": "lastModifiedAt"}
Test = Callable[[Json], bool]


def resources(platform: Platform, container: str, query: str, expand: str = "") -> list[Json]:
    """Return the resources below a scope that `$filter` admits; AzureError 400 for a filter that ARM does not have.

    ARM tracks resources that have a location, and no others.
    """
    test = _filter(query)
    tracked = {name for name, kind in platform.part(Services).types.items() if kind.located}
    found = [document.body for document in platform.store.below(container) if document.type in tracked]
    wanted = {part.strip().lower() for part in expand.split(",") if part.strip()}
    if unknown := wanted - {*map(str.lower, _EXPANDED), "provisioningstate"}:
        raise AzureError(400, "InvalidExpandQueryOption", f"The $expand value '{min(unknown)}' is not valid.")
    return [_shown(body, wanted) for body in found if test(body)]


def _filter(text: str) -> Test:
    """Return the test of a filter. `and` binds more strongly than `or`."""
    if not text.strip():
        return lambda _body: True
    parts = _split(text)
    fields = [found[1].lower() for part in parts[::2] if (found := _COMPARED.fullmatch(part))]
    mixed = any(field in _TAGS for field in fields) and not all(field in _TAGS for field in fields)
    if mixed or fields.count("tagvalue") > fields.count("tagname"):
        raise _invalid(text)
    groups: list[list[Test]] = [[]]
    for part, word in zip(parts[::2], ["", *parts[1::2]], strict=True):
        if word.lower() == "or":
            groups.append([])
        groups[-1].append(_condition(part, text))
    if fields and set(fields) <= set(_TAGS):
        return _tagged(parts[::2], text)
    return lambda body: any(all(test(body) for test in group) for group in groups)


def _split(text: str) -> list[str]:
    """Return the conditions of a filter, with the words between them."""
    pieces = _PIECE.findall(f" {text} ")
    parts: list[list[str]] = [[]]
    for before, piece, after in zip(pieces, pieces[1:], pieces[2:], strict=False):
        if piece.lower() in ("and", "or") and before.isspace() and after.isspace():
            parts += [[piece], []]
        else:
            parts[-1].append(piece)
    return ["".join(part).strip() for part in parts]


def _condition(part: str, whole: str) -> Test:
    inside, compared = _INSIDE.fullmatch(part), _COMPARED.fullmatch(part)
    if inside is not None:
        wanted = _unquoted(inside[1])
        return lambda body: wanted in _value(body, inside[2].lower())
    if compared is None:
        raise _invalid(whole)
    field, equal, text = compared[1].lower(), compared[2].lower() == "eq", _unquoted(compared[3])
    return lambda body: (_value(body, field) == text) is equal


def _tagged(parts: list[str], whole: str) -> Test:
    """Return the test for a tag by its name, and by its value where one is given."""
    given = {found[1].lower(): found[3] for part in parts if (found := _COMPARED.fullmatch(part)) and found[2] == "eq"}
    if len(given) != len(parts):
        raise _invalid(whole)
    name, value = _unquoted(given["tagname"]), given.get("tagvalue", "").replace("''", "'") or None

    def test(body: Json) -> bool:
        tags = {key.lower(): str(each) for key, each in (body.get("tags") or {}).items()}
        return name in tags and value in (None, tags[name])

    return test


def _value(body: Json, field: str) -> str:
    """Return what a filter compares, in lower case."""
    if field == "resourcegroup":
        return str(ResourceId.of(body["id"]).group).lower()
    if field == "identity/principalid":
        return str((body.get("identity") or {}).get("principalId") or "").lower()
    return str(body.get("type" if field == "resourcetype" else field) or "").lower()


def _unquoted(text: str) -> str:
    return text.replace("''", "'").lower()


def _shown(body: Json, expand: set[str]) -> Json:
    """Return a resource in the form of lists: the name of a child starts with its parent's."""
    names = ResourceId.of(body["id"]).segments[1::2]
    shown: Json = {
        **{key: body.get(key) for key in ("id", "name", "type", "location", "tags")},
        **{key: body[key] for key in ("kind", "sku", "identity", "plan", "managedBy") if body.get(key)},
        "name": "/".join(names),
    }
    system = body.get("systemData") or {}
    shown |= {name: system.get(field) for name, field in _EXPANDED.items() if name.lower() in expand}
    if "provisioningstate" in expand:
        shown["provisioningState"] = body["properties"].get("provisioningState", "Succeeded")
    return shown


def _invalid(text: str) -> AzureError:
    return AzureError(400, "InvalidFilterInQueryString", f"Invalid $filter '{text}' specified in the query string.")
