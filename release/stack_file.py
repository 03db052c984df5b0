"""A stack file, read and changed without Pulumi: for what a command needs before there is a stack to open."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from pulumi_azureml.planning import Problem
from pulumi_azureml.planning.documents import read as read_document
from release import whole_file
from release.errors import ReleaseError

_FIX = "correct it; docs/configuration.md describes what a stack file has"


def read(file: Path) -> dict[str, Any]:
    """Return the content of a stack file.

    Raises:
        ReleaseError: It is not a YAML mapping with a mapping `config`. The message names the line. Pulumi's own
            message about such a file names neither the line nor a fix in each case.
    """
    document = read_document(file.parent, file.name)
    if isinstance(document, Problem):
        place = f"{file.name}:{document.line}" if document.line else file.name
        raise ReleaseError(
            f"{place}: {document.message}. Nothing was changed", _FIX if "az ml" in document.fix else document.fix
        )
    if not isinstance(document.data.get("config") or {}, dict):
        line = document.line("config")
        raise ReleaseError(f"{file.name}:{line}: config is not a mapping of settings. Nothing was changed", _FIX)
    content: dict[str, Any] = yaml.safe_load(file.read_text("utf-8-sig"))  # with the types that YAML gives to values
    endless = next(_endless(content, ()), None)
    if endless is not None:
        place = f"{file.name}:{document.line(*endless)}: {'.'.join(map(str, endless))}"
        raise ReleaseError(f"{place} is not a number that JSON has. Nothing was changed", _FIX)
    return content


def _endless(value: Any, keys: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """Yield the keys of `.inf` and `.nan`: Pulumi's error about such a value names neither file nor key."""
    if isinstance(value, float) and not math.isfinite(value):
        yield keys
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in parts:
        yield from _endless(each, (*keys, key if isinstance(key, int) else str(key)))


def find(folder: Path, stack: str) -> Path:
    """Return the file of a stack.

    Raises:
        ReleaseError: The project has no such stack.
    """
    file = folder / f"Pulumi.{stack}.yaml"
    if not file.exists():
        known = ", ".join(sorted(path.name.split(".")[1] for path in folder.glob("Pulumi.*.yaml")))
        raise ReleaseError(f"stack '{stack}' has no file {file.name}; stacks of this project: {known}")
    return file


def extend(file: Path, group: str, name: str, values: Sequence[str]) -> None:
    """Add values to a list in a group of settings. The rest of the file stays as it is, with its comments.

    Raises:
        ReleaseError: It is not a stack file, its YAML is written in a way that this function cannot change, or it
            cannot be written.
    """
    content = read(file)
    config = content.get("config") or {}
    there = (config.get(group) or {}).get(name) or []
    values = [each for each in values if each not in there]
    wanted = {**content, "config": {**config, group: {**(config.get(group) or {}), name: [*there, *values]}}}
    text = file.read_text("utf-8-sig")
    changed = _extended(text, ("config", group, name), [json.dumps(each) for each in values]) if values else text
    try:
        is_as_wanted = yaml.safe_load(changed) == wanted
    except yaml.YAMLError:
        is_as_wanted = False
    if not is_as_wanted:
        raise ReleaseError(
            f"{file.name} is written in a way that this command cannot change. Nothing was changed there",
            f"add to `{group}:` by hand: `{name}: {json.dumps(wanted['config'][group][name])}`",
        )
    whole_file.replace(file, changed)


def _extended(text: str, keys: Sequence[str], items: Sequence[str]) -> str:
    """Return the text of a file with more items in the list at a path of block mappings."""
    lines = text.splitlines(keepends=True) or [""]
    lines[-1] = lines[-1].rstrip("\n") + "\n"
    node: yaml.Node | None = yaml.compose(text)
    row, column = len(lines), 0
    for depth, key in enumerate(keys):
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        if pairs:
            row, column = pairs[0][0].start_mark.line, pairs[0][0].start_mark.column
        node = next((value for each, value in pairs if each.value == key), None)
        if node is None:
            new = [f"{' ' * (column + 2 * index)}{each}:\n" for index, each in enumerate(keys[depth:])]
            indent = " " * (column + 2 * len(new))
            return "".join([*lines[:row], *new, *(f"{indent}- {item}\n" for item in items), *lines[row:]])
        column += 2
        row = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and node.value and not node.flow_style:
        row, column = node.value[-1].end_mark.line + 1, node.start_mark.column
    indent = " " * column
    return "".join([*lines[:row], *(f"{indent}- {item}\n" for item in items), *lines[row:]])
