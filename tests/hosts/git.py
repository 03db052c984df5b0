"""A Git repository in memory, as both hosts keep it: commits with files, and branches."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Commit:
    """A commit: its files, its parents, and its message."""

    files: Mapping[str, str]
    parents: tuple[str, ...] = ()
    message: str = ""


@dataclass
class FakeGit:
    """Commits and branches."""

    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def add(self, files: Mapping[str, str], *parents: str, message: str = "") -> str:
        """Keep a commit, and return its id."""
        sha = hashlib.sha1(repr((sorted(files.items()), parents, message)).encode()).hexdigest()  # noqa: S324
        self.commits[sha] = Commit(dict(files), parents, message)
        return sha

    def push(self, branch: str, files: Mapping[str, str]) -> str:
        """Commit files on top of a branch, as somebody does who pushes to it, and return the commit."""
        old = self.branches.get(branch)
        parents = (old,) if old else ()
        self.branches[branch] = self.add({**self.files(branch), **files}, *parents, message=f"Change {branch}")
        return self.branches[branch]

    def files(self, branch: str) -> Mapping[str, str]:
        """Return the files of a branch."""
        return self.commits[self.branches[branch]].files if branch in self.branches else {}

    def is_forward(self, old: str, new: str) -> bool:
        """Whether one commit is an ancestor of another, or the same."""
        return old == new or any(self.is_forward(old, each) for each in self.commits[new].parents)
