"""Differences between an old and a new version of an asset, for previews."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MISSING = "(not set)"


@dataclass(frozen=True)
class Change:
    """Differences. `keys` maps a dotted key of the definition to its old and new value (`(not set)` if absent)."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    keys: Mapping[str, tuple[Any, Any]]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.keys)


def explain(
    old_files: Mapping[str, str],
    new_files: Mapping[str, str],
    old_definition: Mapping[str, Any],
    new_definition: Mapping[str, Any],
) -> Change:
    """Compare two states of an asset. The keys omit `version`, which follows from the rest."""
    old = dict(_flat(old_definition, ()))
    new = dict(_flat(new_definition, ()))
    keys = {
        key: (old.get(key, MISSING), new.get(key, MISSING))
        for key in sorted({*old, *new} - {"version"})
        if old.get(key, MISSING) != new.get(key, MISSING)
    }
    return Change(
        added=tuple(sorted(set(new_files) - set(old_files))),
        removed=tuple(sorted(set(old_files) - set(new_files))),
        changed=tuple(sorted(path for path in set(old_files) & set(new_files) if old_files[path] != new_files[path])),
        keys=keys,
    )


def _flat(value: Any, keys: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _flat(item, (*keys, str(key)))
    else:
        yield ".".join(keys), value
