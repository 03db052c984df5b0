"""Problems in the tree, each with a location and a fix, reported all at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """One thing to correct. `file` is relative to the project's root, `line` counts from 1 (0: the whole file)."""

    file: str
    line: int
    message: str
    fix: str

    def __str__(self) -> str:
        file, message = one_line(self.file), one_line(self.message)
        place = f"{file}:{self.line}" if self.line else file
        return f"{place}: {message}\n    fix: {one_line(self.fix)}"


def one_line(text: str) -> str:
    """Return a text with its control characters written out, which terminals and CI hosts would obey."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


class CatalogueErrors(Exception):  # noqa: N818 - it carries many errors, and its name says so
    """Every problem of the tree, sorted by file and line. Nothing was planned."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(sorted(set(problems)))
        count = len(self.problems)
        title = "1 problem" if count == 1 else f"{count} problems"
        super().__init__("\n".join([f"{title} in the catalogue:", *(str(problem) for problem in self.problems)]))


def suggestion(word: str, known: Iterable[str], *, otherwise: str, likeness: float = 0.6) -> str:
    """`did you mean 'x'?` when something known is close to the word, else the other advice."""
    names = sorted(known)
    close = difflib.get_close_matches(word.lower(), [each.lower() for each in names], n=1, cutoff=likeness)
    if not close:
        return otherwise
    return f"did you mean '{next(each for each in names if each.lower() == close[0])}'?"


def with_article(title: str) -> str:
    """Return the title of a kind of asset with its article."""
    title = "data asset" if title == "data" else title
    return f"{'an' if title[0] in 'aeio' else 'a'} {title}"


def one_of(names: Iterable[str], *, otherwise: str = "remove it") -> str:
    """Return the advice to use one of the names, or the other advice if there is none."""
    known = sorted(names)
    return f"use one of {listing(known)}" if known else otherwise


def listing(names: Iterable[str]) -> str:
    """Names for a message: sorted, quoted, or `none`."""
    return ", ".join(f"'{name}'" for name in sorted(names)) or "none"
