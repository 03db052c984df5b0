"""The tags of a repository, as Azure's own API for registries lists them (`/acr/v1/<repository>/_tags`).

Source: azure-rest-api-specs, specification/containerregistry/data-plane, version 2021-07-01. No tag can be locked here.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from aiohttp import web

from amlite.core.platform import Platform
from amlite.core.routing import Call, reply
from amlite.core.wire import Json
from amlite.services.containerregistry import distribution, tokens
from amlite.services.containerregistry.doors import Door
from amlite.services.containerregistry.tokens import RegistryError

_READS = ("metadata_read", "pull")
_MOST = 1000
_UNLOCKED = {"deleteEnabled": True, "writeEnabled": True, "readEnabled": True, "listEnabled": True}


@dataclass(frozen=True)
class Tag:
    """A tag: its name, the digest of its manifest, and when it was made and moved last."""

    name: str
    digest: str
    created: dt.datetime
    updated: dt.datetime

    def json(self) -> Json:
        """Return the tag as the API writes it."""
        times = {"createdTime": _stamp(self.created), "lastUpdateTime": _stamp(self.updated)}
        return {"name": self.name, "digest": self.digest, **times, "signed": False, "changeableAttributes": _UNLOCKED}


def answer(call: Call, door: Door, repository: str, name: str) -> web.Response:
    """Return the tag with a name or, without one, a page of the repository's tags. Raises RegistryError."""
    _require(call, door, repository)
    found = _tags(distribution.repository(call.platform, f"{door.registry}/{repository}"))
    if not found:
        raise RegistryError(404, "NAME_UNKNOWN", "repository name not known to registry")
    head = {"registry": door.address, "imageName": repository}
    if name:
        tag = next((each for each in found if each.name == name), None)
        if tag is None:
            raise RegistryError(404, "TAG_UNKNOWN", f"the tag '{name}' is not known to the repository")
        return reply({**head, "tag": tag.json()})
    query = call.request.query
    if (order := query.get("orderby", "")) in ("timedesc", "timeasc"):
        found.sort(key=lambda each: each.updated, reverse=order == "timedesc")
    names = [each.name for each in found]
    if (last := query.get("last")) in names:
        found = found[names.index(last) + 1 :]
    size = query.get("n", str(_MOST))
    if not size.isdigit() or not 0 < int(size) <= _MOST:
        raise RegistryError(400, "PAGINATION_NUMBER_INVALID", f"n must be a number from 1 to {_MOST}")
    page, rest = found[: int(size)], found[int(size) :]
    answered = reply({**head, "tags": [each.json() for each in page]})
    if rest:
        after = urlencode({"last": page[-1].name, "n": size, **({"orderby": order} if order else {})})
        answered.headers["Link"] = f'</acr/v1/{repository}/_tags?{after}>; rel="next"'
    return answered


def _require(call: Call, door: Door, repository: str) -> None:
    scheme, _, shown = call.request.headers.get("Authorization", "").partition(" ")
    platform: Platform = call.platform
    if scheme.lower() != "bearer" or not any(
        tokens.permits(platform, shown, door.registry, repository, action) for action in _READS
    ):
        raise tokens.denied(repository, _READS[0])


def _tags(folder: Path) -> list[Tag]:
    """Return the tags in a repository's folder, by name."""
    found = []
    for each in sorted((folder / "_manifests" / "tags").glob("*/current/link")):
        seen = (folder / "_manifests" / "tags" / each.parts[-3]).stat()
        found.append(Tag(each.parts[-3], each.read_text("ascii"), _time(seen.st_mtime), _time(each.stat().st_mtime)))
    return found


def _time(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def _stamp(time: dt.datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
