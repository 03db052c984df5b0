"""YAML files with the line of every key, so that a problem can name the line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pulumi_azureml.planning.problems import Problem

KeyPath = tuple[str | int, ...]

# libyaml, if PyYAML was built with it, is ten times faster and gives the same nodes and marks.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Document:
    """One YAML file: its mapping, and the line of every key path in it.

    `path` is relative to the root, with forward slashes. `set_by` names the option behind each value that the stack
    sets in place of the file's.
    """

    path: str
    data: dict[str, Any]
    lines: Mapping[KeyPath, int]
    set_by: Mapping[KeyPath, str] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The folder of the file, relative to the root."""
        return self.path.rpartition("/")[0]

    def line(self, *keys: str | int) -> int:
        """Return the line of a key path, or of its nearest parent in the file. Return 0 without a file."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys, 1 if self.lines else 0)

    def problem(self, keys: KeyPath, message: str, fix: str) -> Problem:
        """Return a problem at a key of this document. It names the option that sets the value, if any."""
        option = next((option for set_, option in self.set_by.items() if keys[: len(set_)] == set_), None)
        if option is not None:
            message = f"{message} (set by {option})"
        return Problem(self.path, self.line(*keys), message, fix)


def read(root: Path, path: str) -> Document | Problem:
    """Read one file. Return a problem if it is not one YAML mapping."""
    try:
        text = (root / path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        return Problem(path, 0, f"cannot be read: {error.strerror}", "make the file readable")
    except UnicodeDecodeError as error:
        return Problem(path, 0, f"is not UTF-8 text: {error.reason} at byte {error.start}", "save the file as UTF-8")
    return parse(path, text)


def parse(path: str, text: str) -> Document | Problem:
    """Parse a file's text; see `read`."""
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if not isinstance(node, yaml.MappingNode):
                return Problem(path, 1, "is not a YAML mapping", "write `key: value` lines, as `az ml` accepts")
            lines: dict[KeyPath, int] = {}
            duplicate = _mark(node, (), lines)
            if duplicate is not None:
                key, line = duplicate
                return Problem(path, line, f"'{key}' is written twice", "keep one of the two")
            data = loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = error.problem or error.context or "cannot be parsed"
        return Problem(path, mark.line + 1 if mark else 0, f"malformed YAML: {reason}", "correct the YAML on this line")
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return Problem(path, 0, f"malformed YAML: {error}", "correct the YAML")
    return Document(path, data, lines)


def _mark(node: yaml.Node, keys: KeyPath, lines: dict[KeyPath, int]) -> tuple[str, int] | None:
    """Record the line of everything under a node. Return the first key that a mapping contains twice, if any."""
    lines.setdefault(keys, node.start_mark.line + 1)
    duplicate = None
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in seen and key != "<<":
                duplicate = duplicate or (key, key_node.start_mark.line + 1)
            seen.add(key)
            lines[(*keys, key)] = key_node.start_mark.line + 1
            duplicate = _mark(value_node, (*keys, key), lines) or duplicate
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            duplicate = _mark(item, (*keys, index), lines) or duplicate
    return duplicate
