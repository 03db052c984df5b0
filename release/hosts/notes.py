"""Comments and issues that a program keeps: one with a name, also if several runs write it at the same time."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from release.hosts.rest import GoneError, HostError

_ATTEMPTS = 5


@dataclass(frozen=True)
class Note:
    """A comment or issue that exists.

    Attributes:
        id: What the host calls it. Older notes come first in the order of `number`.
        number: The host's number.
        text: Its Markdown.
        url: Its page.
    """

    id: str
    number: int
    text: str
    url: str


@dataclass(frozen=True)
class NoteText:
    """What a note should be.

    Attributes:
        name: Which note: there is one for each name.
        text: Its Markdown, which begins with `mark(name, …)`.
        title: Its title, if it is an issue.
        needs_attention: Whether somebody must look at it.
    """

    name: str
    text: str
    title: str = ""
    needs_attention: bool = True


class Notes(Protocol):
    """The comments of a pull request, or the open issues of a repository."""

    def marked(self, name: str) -> Sequence[Note]:
        """Return the notes with a mark, from all pages."""

    def add(self, draft: NoteText) -> Note:
        """Make a note."""

    def edit(self, note: Note, draft: NoteText) -> None:
        """Change a note. Raises GoneError if it does not exist."""

    def remove(self, note: Note) -> None:
        """Delete a comment, or close an issue. Raises GoneError if it does not exist."""


def mark(name: str, content: str) -> str:
    """Return the first line of a note, which both hosts show as nothing: its name and a hash of its content."""
    return f"{prefix(name)}{hashlib.sha256(content.encode()).hexdigest()[:16]})"


def prefix(name: str) -> str:
    """Return the beginning of a note's first line."""
    return f"[//]: <> (azureml-platform:{name} "


def keep_one(notes: Notes, draft: NoteText, *, create: bool = True) -> tuple[str, Note | None]:
    """Write a note in place of the one with its name, and remove all others with the name.

    Returns what was done (`created`, `updated`, `unchanged`, or `absent` if there is none and `create` is false), and
    the note. Several runs at the same time leave one note, with the text of one of them: the oldest note wins, and each
    run looks at the result of what it did.
    """
    done = "unchanged"
    for _ in range(_ATTEMPTS):
        found = sorted(notes.marked(draft.name), key=lambda note: note.number)
        if not found:
            if not create:
                return "absent", None
            notes.add(draft)
            done = "created"
            continue
        first, *others = found
        try:
            if first.text.strip() != draft.text.strip():
                notes.edit(first, draft)
                done = "updated" if done == "unchanged" else done
        except GoneError:
            continue  # somebody deleted it in the meantime
        for other in others:
            _remove(notes, other)
        return done, first
    raise HostError("others delete or change the comment or issue all the time", fix="run the command again")


def remove_all(notes: Notes, draft: NoteText) -> Sequence[Note]:
    """Write a last text to all notes with a name, remove them, and return them."""
    found = notes.marked(draft.name)
    for note in found:
        try:
            notes.edit(note, draft)
        except GoneError:
            continue
        _remove(notes, note)
    return found


def _remove(notes: Notes, note: Note) -> None:
    with contextlib.suppress(GoneError):  # another run removed it
        notes.remove(note)
