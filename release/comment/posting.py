"""Puts the comment where reviewers see it: into the pull request, and into the summary of the CI run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from release.comment.body import NAME, body, changed, needs_attention
from release.errors import ReleaseError
from release.hosts.connection import connect, writer
from release.hosts.notes import NoteText, keep_one
from release.hosts.rest import HostError, understood
from release.preview.document import Preview

# GitHub accepts 1 MiB, and a character has at most 4 bytes.
_SUMMARY_LIMIT = 250_000
# Statuses of a token that may not write.
_FORBIDDEN = (401, 403, 404)


def draft(previews: Sequence[Preview], variables: Mapping[str, str], host: str | None, repository: str | None) -> str:
    """Return the comment without sending it."""
    return body(previews, *writer(variables, host, repository))


def post(
    previews: Sequence[Preview],
    variables: Mapping[str, str],
    host: str | None,
    repository: str | None,
    pull_request: int | None,
    say: Callable[[str], None],
) -> None:
    """Write the comment and the summary.

    A job whose token cannot write, such as one for a fork, writes only the summary.

    Raises:
        ReleaseError: The job belongs to no pull request, or the host refuses the comment.
    """
    there = connect(variables, host, repository)
    summary = body(previews, None, _SUMMARY_LIMIT)
    summarized = there.summarize(summary)
    number = pull_request or there.pull_request
    if number is None:
        raise ReleaseError("this run does not belong to a pull request", fix="use --pull-request NUMBER")
    text = body(previews, there.run, there.limit)
    wanted = NoteText(NAME, text, needs_attention=needs_attention(previews))
    try:
        with understood(there.title):
            done, note = keep_one(there.comments(number), wanted, create=bool(changed(previews)))
    except HostError as error:
        if not there.reads_only or error.status not in _FORBIDDEN:
            raise
        say(f"There is no comment: {there.reads_only}.")
        say("The summary of the run shows the preview." if summarized else summary)
        return
    if note is None:
        say("No stack changes, and there is no comment to update.")
    else:
        say(f"Comment {done}: {note.url}")
