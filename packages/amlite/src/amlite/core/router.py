"""Finds the route that answers a request: the most specific one that fits, wherever it is declared.

- Hosts: a name is more specific than a pattern, and a longer pattern more specific than a shorter one. Among tables
  with the same hosts, one that is narrowed to some of them (`only`) is more specific than one that is not.
- Paths, compared segment by segment from the left: text is more specific than `{name}`, and both than `{name:path}`.
- Methods: a name is more specific than `*`.

amlite does not start with two routes that fit the same requests and are equally specific.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise

from amlite.core.platform import Platform
from amlite.core.resource_id import WITHOUT_CASE
from amlite.core.routing import Route, Routes

_TEXT, _ONE, _END, _ANY = range(4)
_PARAMETER = re.compile(r"\{(\w+)(:path)?\}")


@dataclass(frozen=True)
class _Entry:
    """A route, its rank (the most specific one first), and its path with anonymous parameters."""

    route: Route
    rank: tuple[int, ...]
    shape: str

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The pattern of its paths; compiled on first use, because compiling all of them would add 20 ms to a start."""
        return re.compile(_pattern(self.route.path), WITHOUT_CASE)


@dataclass(frozen=True)
class _Place:
    """The routes of all tables with the same hosts, the most specific ones first."""

    table: Routes
    hosts: re.Pattern[str]
    entries: tuple[_Entry, ...]


class Router:
    """Every route of amlite. Raises ValueError for two that fit the same requests and are equally specific."""

    def __init__(self, tables: Iterable[Routes]) -> None:
        ordered = sorted(tables, key=_host_rank)
        self._places = [_place(list(group)) for _, group in groupby(ordered, key=_host_rank)]
        for first, second in pairwise(self._places):
            if first.table.host == second.table.host and second.table.only is not None:
                raise ValueError(f"two functions narrow the tables of {second.table.host}")

    def serves(self, host: str) -> bool:
        """Whether a host is one of ours."""
        return any(place.hosts.fullmatch(host) for place in self._places)

    def find(self, platform: Platform, method: str, host: str, path: str) -> tuple[Route, Mapping[str, str]] | None:
        """Return the route that answers a request, with the parameters of its path."""
        for place in self._places:
            if place.hosts.fullmatch(host) is None or not (
                place.table.only is None or place.table.only(platform, host)
            ):
                continue
            for entry in place.entries:
                if entry.route.method in ("*", method) and (found := entry.pattern.fullmatch(path)):
                    return entry.route, found.groupdict()
        return None


def _host_rank(table: Routes) -> tuple[bool, int, str, bool, int]:
    """Return the key that puts the most specific hosts first, and tables with the same hosts side by side."""
    return "*" in table.host, -len(table.host), table.host.lower(), table.only is None, id(table.only)


def _place(tables: list[Routes]) -> _Place:
    entries = sorted((_entry(route) for table in tables for route in table.entries), key=lambda entry: entry.rank)
    host = tables[0].host
    for first, second in pairwise(sorted(entries, key=lambda entry: entry.shape)):
        if first.shape == second.shape:
            raise ValueError(
                f"two routes of {host} answer {first.shape}: {_where(first.route)} and {_where(second.route)}"
            )
    return _Place(tables[0], re.compile(fnmatch.translate(host), WITHOUT_CASE), tuple(entries))


def _entry(route: Route) -> _Entry:
    segments = route.path.strip("/").split("/")
    ranks = [_rank(segment) for segment in segments]
    shape = "/".join(_PARAMETER.sub(lambda found: "**" if found[2] else "*", segment) for segment in segments)
    return _Entry(
        route,
        (*ranks, _END, route.method == "*"),
        f"{route.method} /{shape.lower()}",
    )


def _rank(segment: str) -> int:
    found = _PARAMETER.search(segment)
    return _TEXT if found is None else _ANY if found[2] else _ONE


def _pattern(path: str) -> str:
    out, end = "", 0
    for found in _PARAMETER.finditer(path):
        out += re.escape(path[end : found.start()]) + f"(?P<{found[1]}>{'.*' if found[2] else '[^/]+'})"
        end = found.end()
    return f"{out}{re.escape(path[end:])}/?"


def _where(route: Route) -> str:
    return f"{route.handler.__module__}.{route.handler.__name__}"
