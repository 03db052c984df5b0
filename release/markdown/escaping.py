"""Text from others in Markdown, shown as it is.

Names, values, reasons and messages come from files and from Azure. In a comment they must not become HTML, a link, a
mention of a person or a team (`@`), a reference to another issue (`#12`, `!12`, `GH-12`), or the end of a table cell.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from urllib.parse import quote

# Control characters, formatting characters (which can change the direction of a text), surrogates, line separators.
_INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")
# Both hosts look for mentions and references in the rendered text, so escapes do not stop them. A character without a
# width does.
_ZERO_WIDTH = "\u200b"
_REFERENCES = re.compile(r"[@#!]|:(?=//)|\bwww(?=\.)|\bGH(?=-\d)", re.IGNORECASE)
_MARKUP = re.compile(r"[&<>`*_\[\]{}\\|~$#@!]")
# Within a code span, these could end the span or the table cell.
_NOT_IN_A_SPAN = re.compile(r"[`|\\]")
_LONGEST_NAME = 200
_LONGEST_SENTENCE = 1000


def one_line(text: str, longest: int = _LONGEST_SENTENCE) -> str:
    """Return a text on one line, without control characters. A long one is cut."""
    if not text.isprintable():
        text = "".join(" " if unicodedata.category(each) in _INVISIBLE else each for each in text)
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def code(text: str) -> str:
    """Return a name or value as code, for any place in Markdown, such as a table cell."""
    line = one_line(text, _LONGEST_NAME)
    if not line or _NOT_IN_A_SPAN.search(line):
        return f"<code>{_MARKUP.sub(_entity, line)}</code>"
    return f"`{line}`"


def prose(text: str) -> str:
    """Return a sentence as text, for any place in Markdown."""
    line = _REFERENCES.sub(lambda found: f"{found[0]}{_ZERO_WIDTH}", one_line(text))
    # At its beginning, other characters could start a list or a heading.
    start = "" if line[:1].isalpha() else _ZERO_WIDTH
    return start + _MARKUP.sub(_entity, line)


def link(url: str) -> str:
    """Return a URL that cannot end its link. Anything but an HTTPS address becomes an empty anchor."""
    return quote(one_line(url), safe="%/:?&=#+,;@~") if url.startswith("https://") else "#"


def fences(lines: Sequence[str], language: str = "") -> tuple[str, str]:
    """Return the first and the last line of a code block that none of its lines can end."""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}", fence


def _entity(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};"
