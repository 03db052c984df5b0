"""One pull request from a branch that a program keeps, also if several runs change it at the same time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from release.hosts.rest import ConflictError, GoneError

_ATTEMPTS = 5


@dataclass(frozen=True)
class PullRequest:
    """A pull request that exists.

    Attributes:
        number: Its number.
        title: Its title.
        text: Its description, as Markdown.
        url: Its page.
    """

    number: int
    title: str
    text: str
    url: str


class Branches(Protocol):
    """The branches and pull requests of a repository."""

    def tip(self, branch: str) -> str | None:
        """Return the newest commit of a branch, or None if there is no such branch."""

    def content(self, commit: str, path: str) -> str | None:
        """Return the text of a file in a commit, or None if the commit does not have it."""

    def commit(self, branch: str, old: str | None, parent: str, files: Mapping[str, str], message: str) -> str:
        """Commit files on top of `parent`, let the branch point to the commit, and return it.

        Raises:
            ConflictError: The branch no longer points to `old`, or exists although `old` is None.
        """

    def open_request(self, branch: str, base: str) -> PullRequest | None:
        """Return the open pull request from one branch to another."""

    def is_left_over(self, branch: str, tip: str) -> bool:
        """Whether a branch is what a pull request that is closed or merged left."""

    def request(self, branch: str, base: str, title: str, text: str) -> PullRequest:
        """Open a pull request.

        Raises:
            ConflictError: There is one.
        """

    def edit(self, request: PullRequest, title: str, text: str) -> None:
        """Change the title and the description of a pull request."""

    def close(self, request: PullRequest) -> None:
        """Close a pull request without merging it."""


@dataclass(frozen=True)
class ProposedChange:
    """A change that a pull request proposes.

    Attributes:
        branch: The branch of the pull request.
        base: The branch that it is merged into.
        files: Returns the new text of each file, from its text on the base (None: the base does not have the file).
        paths: All files that the branch may change. `describe` gets the text of each.
        message: The message of the commit.
        describe: Returns title and description, from the text of each file on the base and on the branch.
    """

    branch: str
    base: str
    files: Mapping[str, Callable[[str | None], str]]
    paths: Sequence[str]
    message: str
    describe: Callable[[Mapping[str, str | None], Mapping[str, str | None]], tuple[str, str]]


def keep_open(there: Branches, change: ProposedChange) -> tuple[str, PullRequest | None]:
    """Commit a change to its branch, and open or update the branch's only pull request.

    A branch that a closed or merged pull request left begins again at the base. If the branch does not differ from the
    base in the end, its pull request is closed.

    Returns what was done (`opened`, `updated`, `unchanged`, `closed`, or `absent` if there is nothing to propose), and
    the pull request.

    Raises:
        ConflictError: Other runs change the branch all the time.
        GoneError: There is no base.
    """
    for _ in range(_ATTEMPTS - 1):
        with contextlib.suppress(ConflictError):
            return _keep_open(there, change)
    return _keep_open(there, change)


def _keep_open(there: Branches, change: ProposedChange) -> tuple[str, PullRequest | None]:
    base = there.tip(change.base)
    if base is None:
        raise GoneError(f"the repository has no branch '{change.base}'", fix="use --base BRANCH")
    request = there.open_request(change.branch, change.base)
    old = there.tip(change.branch)
    # Without a pull request, another run may have made the branch a moment ago.
    goes_on = old is not None and (request is not None or not there.is_left_over(change.branch, old))
    parent = old if old is not None and goes_on else base
    before = {path: there.content(base, path) for path in change.paths}
    after = before if parent == base else {path: there.content(parent, path) for path in change.paths}
    wanted = {path: new(before[path]) for path, new in change.files.items()}
    changed = {path: text for path, text in wanted.items() if after[path] != text}
    if changed:
        there.commit(change.branch, old, parent, changed, change.message)
        after = {**after, **changed}
    if after == before:
        if request is None:
            return "absent", None
        there.close(request)
        return "closed", request
    title, text = change.describe(before, after)
    if request is None:
        return "opened", there.request(change.branch, change.base, title, text)
    if (request.title, request.text.strip()) != (title, text.strip()):
        there.edit(request, title, text)
        return "updated", request
    return "updated" if changed else "unchanged", request
