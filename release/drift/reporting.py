"""Opens, updates or closes the issue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from release.drift.body import NAME, body, clean, drifted, title
from release.errors import ReleaseError
from release.hosts.connection import connect, writer
from release.hosts.notes import NoteText, keep_one, remove_all
from release.hosts.rest import understood
from release.preview.document import Preview


def draft(previews: Sequence[Preview], variables: Mapping[str, str], host: str | None, repository: str | None) -> str:
    """Return the issue without sending it."""
    run, limit = writer(variables, host, repository)
    return body(previews, run, limit) if any(map(drifted, previews)) else clean(run)


def report(
    previews: Sequence[Preview],
    variables: Mapping[str, str],
    host: str | None,
    repository: str | None,
    say: Callable[[str], None],
) -> None:
    """Write the issue.

    A preview that failed does not say whether there is drift: then no issue is closed.

    Raises:
        ReleaseError: This is no job of a host, the host refuses the issue, or a preview failed.
    """
    there = connect(variables, host, repository)
    issues = there.issues()
    failed = [each for each in previews if each.errors]
    if any(map(drifted, previews)):
        text = body(previews, there.run, there.limit)
        there.summarize(text)
        with understood(there.title):
            done, note = keep_one(issues, NoteText(NAME, text, title(previews)))
        say(f"Drift: issue {done}{f': {note.url}' if note else ''}")
    if failed:
        reasons = [f"stack '{each.stack}' could not be checked: {error}" for each in failed for error in each.errors]
        raise ReleaseError("\n".join(reasons))
    if any(map(drifted, previews)):
        return
    with understood(there.title):
        closed = remove_all(issues, NoteText(NAME, clean(there.run), "No drift in Azure", needs_attention=False))
    for note in closed:
        say(f"No drift: issue closed: {note.url}")
    if not closed:
        say("No drift, and there is no open issue.")
