"""Text of others on a terminal, or in the output of a CI job: it changes no other line and gives no command.

A control sequence can write the clipboard, hide lines, or let the terminal answer as if you had typed. Azure Pipelines
follows `##vso[…]` anywhere in a line of a step's output, and GitHub Actions `::…` at the beginning of one.
"""

from __future__ import annotations

import re

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LINE_END = re.compile(r"\r\n?")
# Characters of control, and those that change the direction of a text. Tabs and line ends stay.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_COMMAND = re.compile(r"##(?=\[|vso\[)|(?<!\S):(?=:\w)", re.IGNORECASE)
_ZERO_WIDTH = "\u200b"


def shown(text: str) -> str:
    """Return a text without colours, with its control characters as symbols, and with no command for a CI host."""
    if text.isprintable() and "##" not in text and "::" not in text:
        return text
    lines = _LINE_END.sub("\n", _COLOUR.sub("", text))
    return _COMMAND.sub(lambda found: found[0] + _ZERO_WIDTH, _CONTROL.sub(_symbol, lines))


def escaped(document: str) -> str:
    """Return a JSON document with the same value, without control characters and commands for a CI host.

    A text in JSON can have the number of a character in its place. Nothing else in a document is changed.
    """
    found = _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", document)
    return found.replace("##", "#\\u0023").replace("::", ":\\u003a")


def _symbol(found: re.Match[str]) -> str:
    number = ord(found[0])
    return chr(0x2400 + number) if number < 0x20 else "\ufffd"
