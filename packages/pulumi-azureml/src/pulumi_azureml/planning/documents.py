"""YAML files with the line of every key, so that a problem can name the line.

A file is read as YAML 1.1, because `az ml` does. Keys and dates are text. `spelling` corrects the other values where
Azure takes text.
"""

from __future__ import annotations

import codecs
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from pulumi_azureml.planning.problems import Problem

KeyPath = tuple[str | int, ...]

# libyaml, if PyYAML was built with it, is ten times faster and gives the same nodes and marks.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_TEXT, _MERGE, _DATE = f"{_TAG}str", f"{_TAG}merge", f"{_TAG}timestamp"
# What YAML 1.1 makes of keys that Azure takes as text.
_MISREAD = {
    f"{_TAG}bool": "true or false",
    f"{_TAG}float": "a number",
    f"{_TAG}int": "a number",
    f"{_TAG}null": "nothing",
    _DATE: "a date",
}
_RETYPED = frozenset(f"{_TAG}{name}" for name in ("bool", "float", "int"))
_PLAIN = _RETYPED | {f"{_TAG}{name}" for name in ("map", "merge", "null", "seq", "str")}
# Control characters, and halves of surrogate pairs.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_CONFLICT = re.compile("^<{7} ", re.MULTILINE)
_MOST_BYTES = 5_000_000
_MOST_VALUES = 100_000
_MOST_LEVELS = 60
_MANY_INDICATORS = 1_000
# One of them is zero if a text in two or four bytes a character begins with a Latin letter.
_FIRST = 4
_LONGEST_NUMBER = 400
# What a message shows of a text without spaces.
_SHOWN = 60
_LONG = re.compile(r"\S{300,}")


@dataclass(frozen=True)
class Document:
    """One YAML file: its mapping, and the line of every key path in it.

    `path` is relative to the root, with forward slashes. `set_by` names the option behind each value that the stack
    sets in place of the file's. `written` has the text of each number and Boolean. `dates` are the places of texts that
    YAML 1.1 reads as dates, and `keys` those of keys that it reads as something else, with what. `usual` is the path
    that the file has with the default folders, if it differs. `included` are the files whose content this one has, by
    its key.
    """

    path: str
    data: dict[str, Any]
    lines: Mapping[KeyPath, int]
    set_by: Mapping[KeyPath, str] = field(default_factory=dict)
    written: Mapping[KeyPath, str] = field(default_factory=dict)
    dates: tuple[KeyPath, ...] = ()
    keys: Mapping[KeyPath, str] = field(default_factory=dict)
    usual: str = ""
    included: Mapping[str | int, Document] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The folder of the file, relative to the root."""
        return self.path.rpartition("/")[0]

    def part(self, keys: KeyPath, data: dict[str, Any]) -> Document:
        """Return the part of this document below some keys as a document, with other data."""

        def below(values: Mapping[KeyPath, Any]) -> dict[KeyPath, Any]:
            return {place[len(keys) :]: value for place, value in values.items() if place[: len(keys)] == keys}

        lines = below(self.lines) or {(): self.line(*keys)}
        return Document(self.path, data, lines, below(self.set_by), below(self.written))

    def including(self, key: str, other: Document) -> Document:
        """Return this document with the content of another one at a key that names its file."""
        content = {name: value for name, value in other.data.items() if name != "$schema"}
        written = {**self.written, **{(key, *keys): text for keys, text in other.written.items()}}
        dates = (*self.dates, *((key, *keys) for keys in other.dates))
        included = {**self.included, key: other}
        return replace(self, data={**self.data, key: content}, written=written, dates=dates, included=included)

    def line(self, *keys: str | int) -> int:
        """Return the line of a key path, or of its nearest parent in the file. Return 0 without a file."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys, 1 if self.lines else 0)

    def problem(self, keys: KeyPath, message: str, fix: str) -> Problem:
        """Return a problem at a key of this document. It names the option that sets the value, if any."""
        if len(keys) > 1 and keys[0] in self.included:
            return self.included[keys[0]].problem(keys[1:], message, fix)
        message = _LONG.sub(lambda text: f"{text[0][:_SHOWN]}…", message.replace("\n", "\\n"))
        option = next((option for set_, option in self.set_by.items() if keys[: len(set_)] == set_), None)
        if option is not None:
            message = f"{message} (set by {option})"
        return Problem(self.path, self.line(*keys), message, fix)


def read(root: Path, path: str) -> Document | Problem:
    """Read one file. Return a problem if it is not one YAML mapping."""
    text = read_text(root, path)
    return text if isinstance(text, Problem) else parse(path, text)


def read_text(root: Path, path: str) -> str | Problem:
    """Read a file of text, or return the problem with it."""
    content = read_bytes(root, path)
    return content if isinstance(content, Problem) else decoded(path, content)


def read_bytes(root: Path, path: str, *, from_outside: bool = False) -> bytes | Problem:
    """Read a file, or return the problem with it. Nothing else is opened, such as a pipe or a device.

    Args:
        root: The project.
        path: The file, relative to the root.
        from_outside: Follow a link to outside of the project.
    """
    file = root / path
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            return Problem(path, 0, "is not a file", "replace it with a file, or rename it")
        if not from_outside and not os.path.realpath(file).startswith(os.path.realpath(root) + os.sep):
            return Problem(path, 0, "is a link to outside of the project", "replace it with a copy of the file")
        if status.st_size > _MOST_BYTES:
            reason = f"has {status.st_size:,} bytes, and a definition has at most {_MOST_BYTES:,}"
            return Problem(path, 0, reason, "move data into a file of its own")
        return file.read_bytes()
    except OSError as error:
        return Problem(path, 0, f"cannot be read: {error.strerror}", "make the file readable, or repair the link")


def decoded(path: str, content: bytes) -> str | Problem:
    """Return the text of a file, without a byte order mark."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content[:_FIRST]:
        return not_utf8(path, "it is UTF-16, UTF-32 or binary")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return not_utf8(path, f"{error.reason} at byte {error.start}")


def readable(content: bytes) -> str:
    """Return the text of a file in any encoding, which may lack some of its characters."""
    if b"\0" in content:
        return content.translate(None, b"\0\xfe\xff").decode("utf-8", errors="replace")
    return content.decode("utf-8-sig", errors="replace")


def not_utf8(path: str, why: str) -> Problem:
    """Return the problem of a file in another encoding, which `az ml` does not read either."""
    return Problem(path, 0, f"is not UTF-8 text: {why}", "save the file as UTF-8")


def parse(path: str, text: str) -> Document | Problem:
    """Parse a file's text; see `read`."""
    control = _CONTROL.search(text)
    if control is not None:
        return _control(path, text.count("\n", 0, control.start()) + 1, control[0])
    conflict = _CONFLICT.search(text)
    if conflict is not None:
        line = text.count("\n", 0, conflict.start()) + 1
        return Problem(path, line, "has the marks of a merge conflict", "keep one of the two versions")
    if not text.strip():
        return Problem(path, 0, "is empty", "write `key: value` lines, as `az ml` accepts, or delete the file")
    walk = _Walk()
    try:
        _check_depth(text)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if not isinstance(node, yaml.MappingNode):
                return Problem(path, 1, "is not a YAML mapping", "write `key: value` lines, as `az ml` accepts")
            walk.visit(node, (), 0)
            data = loader.construct_document(node)
        finally:
            loader.dispose()
    except _UnfitError as error:
        return Problem(path, error.line, error.reason, error.fix)
    except yaml.MarkedYAMLError as error:
        return _malformed(path, text, error)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        return Problem(path, 0, f"malformed YAML: {reason}", "correct the YAML")
    return Document(path, data, walk.lines, written=walk.written, dates=tuple(walk.dates), keys=walk.keys)


def _check_depth(text: str) -> None:
    """Report YAML that is nested too deeply before it becomes nodes, because libyaml's recursion would end the process.

    Only a text with many indicators is parsed for this: each level needs one.
    """
    if sum(map(text.count, "-:?[{")) < _MANY_INDICATORS:
        return
    depth = 0
    events: Iterator[Any] = yaml.parse(text, Loader=_Loader)
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MOST_LEVELS:
            raise _too_deep(event.start_mark.line + 1)


def _too_deep(line: int) -> _UnfitError:
    reason = f"is nested more than {_MOST_LEVELS} levels deep"
    return _UnfitError(line, reason, "use fewer levels, and no alias to a value that contains it")


def _malformed(path: str, text: str, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    reason = error.problem or error.context or "cannot be parsed"
    fix = "correct the YAML on this line"
    number, column = (mark.line, mark.column) if mark else (0, 0)
    line = [*text.splitlines(), ""][min(number, len(text.splitlines()))]
    if "expected a single document" in str(error.context) + reason:
        reason, fix = "the file has more than one document", "keep one, without `---` between"
    elif "\t" in line[: len(line) - len(line.lstrip())]:
        reason, fix = "the line is indented with a tab", "indent it with spaces"
    elif "cannot start any token" in reason and column < len(line):
        reason, fix = f"a text without quotes cannot start with '{line[column]}'", "put the text in quotes"
    elif reason.startswith("mapping values are not allowed"):
        reason, fix = "a second `: ` in a line", "put a text with `: ` in quotes"
    elif "quoted scalar" in str(error.context) and error.context_mark is not None:
        number, reason, fix = error.context_mark.line, "a quote without its end", "add the closing quote"
    return Problem(path, number + 1, f"malformed YAML: {reason}", fix)


class _UnfitError(ValueError):
    """YAML that no asset can have."""

    def __init__(self, line: int, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.line, self.reason, self.fix = line, reason, fix


class _Walk:
    """Records the line of everything under a node, and the text of what YAML 1.1 reads as a number or a Boolean."""

    def __init__(self) -> None:
        self.lines: dict[KeyPath, int] = {}
        self.written: dict[KeyPath, str] = {}
        self.dates: list[KeyPath] = []
        self.keys: dict[KeyPath, str] = {}
        self._count = 0

    def visit(self, node: yaml.Node, keys: KeyPath, depth: int) -> None:
        """Visit a node and everything below it.

        Raises:
            _UnfitError: it is too large or too deep, as aliases can make it, or it has what JSON cannot carry.
        """
        line = node.start_mark.line + 1
        self.lines.setdefault(keys, line)
        self._count += 1
        if self._count > _MOST_VALUES:
            reason = f"has more than {_MOST_VALUES:,} values, with what its aliases repeat"
            raise _UnfitError(line, reason, "write fewer values, without aliases of aliases")
        if depth > _MOST_LEVELS:
            raise _too_deep(line)
        if isinstance(node, yaml.MappingNode):
            self._mapping(node, keys, depth)
        elif isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self.visit(item, (*keys, index), depth + 1)
        else:
            self._scalar(node, keys, line)
        if node.tag not in _PLAIN:
            shown = node.tag.replace(_TAG, "!!")
            raise _UnfitError(line, f"has the tag '{shown}', which Azure has no value for", "write it as plain text")

    def _mapping(self, node: Any, keys: KeyPath, depth: int) -> None:
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == _MERGE:
                for each in value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]:
                    self.visit(each, keys, depth + 1)
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                raise _UnfitError(
                    line, "has a list or a mapping as a key", "put text that starts with { or [ in quotes"
                )
            key = str(key_node.value)
            if key_node.tag in _MISREAD:
                self.keys[(*keys, key)] = _MISREAD[key_node.tag]
            key_node.tag = _TEXT
            self._scalar(key_node, (), line)
            if key in seen:
                raise _UnfitError(
                    line, f"'{key}' is written twice", f"keep one of the two; the other is on line {seen[key]}"
                )
            seen[key] = line
        merges = len(seen) < len(node.value)
        for key_node, value_node in node.value:
            if key_node.tag != _MERGE:
                path = (*keys, str(key_node.value))
                # The mapping's own keys win over merged ones.
                for merged in [each for each in self.written if merges and each[: len(path)] == path]:
                    del self.written[merged]
                self.lines[path] = key_node.start_mark.line + 1
                self.visit(value_node, path, depth + 1)

    def _scalar(self, node: yaml.Node, keys: KeyPath, line: int) -> None:
        control = _CONTROL.search(node.value)
        if control is not None:
            problem = _control("", line, control[0])
            raise _UnfitError(line, problem.message, problem.fix)
        is_long = node.tag in _RETYPED and len(node.value) > _LONGEST_NUMBER
        if node.tag == _DATE and keys:
            self.dates.append(keys)
        if node.tag in (_DATE, f"{_TAG}value") or is_long:
            node.tag = _TEXT
        elif node.tag in _RETYPED and keys:
            self.written[keys] = node.value


def _control(path: str, line: int, character: str) -> Problem:
    reason = f"has the control character U+{ord(character):04X}"
    return Problem(path, line, reason, "remove the character; it may be invisible in an editor")
