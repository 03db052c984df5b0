"""Text of others on a terminal, or in the output of a CI job: it changes no other line and gives no command.

A control sequence can write the clipboard, hide lines, or let the terminal answer as if you had typed. Azure Pipelines
follows `##vso[…]` anywhere in a line of a step's output, and GitHub Actions `::…` at the beginning of one. Where a line
begins is known when it is written only: a table breaks long texts, and a log arrives in parts.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LINE_END = re.compile(r"\r\n?")
# Characters of control, and those that change the direction of a text. Tabs and line ends stay.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_COMMAND = re.compile(r"##(?:vso)?\[|(?<!\S)::\w", re.IGNORECASE)
_LONGEST = len("##vso[")
_ZERO_WIDTH = "\u200b"


def shown(text: str) -> str:
    """Return a text without colours, with its control characters as symbols, and with no command for a CI host."""
    if text.isprintable() and "##" not in text and "::" not in text:
        return text
    return _without_commands(_CONTROL.sub(_symbol, _LINE_END.sub("\n", _COLOUR.sub("", text))))


def escaped(document: str) -> str:
    """Return a JSON document with the same value, without control characters and commands for a CI host.

    A text in JSON can have the number of a character in its place. Nothing else in a document is changed.
    """
    found = _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", document)
    return found.replace("##", "#\\u0023").replace("::", ":\\u003a")


def _without_commands(text: str, before: str = "") -> str:
    """Return a text with a character of no width in each command that ends in it. `before` precedes the text."""
    whole, start = before + text, len(before)
    parts, done = [], start
    for found in _COMMAND.finditer(whole):
        if found.end() > start:
            place = max(found.start() + (2 if found[0][0] == "#" else 1), start)
            parts += [whole[done:place], _ZERO_WIDTH]
            done = place
    return "".join([*parts, whole[done:]])


class _Guarded:
    """A stream that passes no command on, whoever prints it, in whatever parts."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self._end = ""

    def write(self, text: str) -> int:
        """Write a text."""
        written = _without_commands(text, self._end)
        self._end = (self._end + written)[-_LONGEST:]
        try:
            self.stream.write(written)
        except UnicodeEncodeError:
            encoding = self.stream.encoding
            self.stream.write(written.encode(encoding, "replace").decode(encoding))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def guarded() -> Iterator[None]:
    """Let nothing that this process prints be a command for a CI host, except what `tell_host` prints."""
    before = sys.stdout, sys.stderr
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        # A closed stream is None.
        sys.stdout, sys.stderr = (_Guarded(each or nowhere) for each in before)
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before


def tell_host(command: str) -> None:
    """Print a command of our own for a CI host."""
    out: Any = sys.stdout
    stream = out.stream if isinstance(out, _Guarded) else out
    stream.write(f"{command}\n")
    stream.flush()


def _symbol(found: re.Match[str]) -> str:
    number = ord(found[0])
    return chr(0x2400 + number) if number < 0x20 else "\ufffd"
