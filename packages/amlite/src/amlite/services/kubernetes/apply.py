"""Server-side apply: an object's fields belong to the managers that applied them.

A manager applies its whole configuration. Fields that it applied before and no longer has are removed, unless another
manager has them. A field that another manager has with a different value is a conflict. Lists are one value, which is
true for the kinds here except for the references in a service account.
Source: "Server-Side Apply" of Kubernetes' documentation.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from amlite.core.wire import Json
from amlite.services.kubernetes.errors import KubernetesError

Path = tuple[str, ...]
_IDENTITY: frozenset[Path] = frozenset({("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace")})


def merged(live: Json, managers: Mapping[str, Json], manager: str, wanted: Json, *, force: bool) -> Json:
    """Return the object after a manager applied a configuration. KubernetesError 409 for a conflict, unless forced."""
    mine, before = dict(_leaves(wanted)), dict(_leaves(managers.get(manager, {})))
    others = {name: dict(_leaves(owned)) for name, owned in managers.items() if name != manager}
    current = dict(_leaves(live))
    conflicts = [
        (name, path)
        for path, value in mine.items()
        for name, owned in others.items()
        if path in owned and current.get(path) != value
    ]
    if conflicts and not force:
        told = [f'conflict with "{name}": .{".".join(path)}' for name, path in conflicts]
        count = f"{len(told)} conflict" + ("s" if len(told) > 1 else "")
        raise KubernetesError(
            409,
            "Conflict",
            f"Apply failed with {count}: {', '.join(told)}",
            details=[{"reason": "FieldManagerConflict", "message": each} for each in told],
        )
    changed = copy.deepcopy(live)
    for path in before.keys() - mine.keys():
        if not any(path in owned for owned in others.values()):
            _remove(changed, path)
    for path, value in mine.items():
        _set(changed, path, value)
    return changed


def owned(managers: Mapping[str, Json], manager: str, wanted: Json, *, force: bool) -> dict[str, Json]:
    """Return the configurations of all managers after one applied its own. By force, it takes fields from others."""
    mine = dict(_leaves(wanted))
    kept = {}
    for name, config in managers.items():
        left = copy.deepcopy(config)
        for path in mine if force else ():
            _remove(left, path)
        kept[name] = left
    return {**kept, manager: wanted}


def _leaves(body: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if isinstance(body, dict) and body:
        for name, value in body.items():
            yield from _leaves(value, (*path, name))
    elif path and path not in _IDENTITY:
        yield path, body


def _set(body: Json, path: Path, value: Any) -> None:
    for name in path[:-1]:
        if not isinstance(body.get(name), dict):
            body[name] = {}
        body = body[name]
    body[path[-1]] = copy.deepcopy(value)


def _remove(body: Json, path: Path) -> None:
    """Remove a value and the objects that become empty."""
    name, *rest = path
    if name not in body:
        return
    if not rest:
        del body[name]
        return
    if isinstance(body[name], dict):
        _remove(body[name], tuple(rest))
    if body[name] == {}:
        del body[name]
