"""The person behind a command: the user of the CI host that runs it, or of this machine."""

from __future__ import annotations

import getpass
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

# GitHub Actions and Azure Pipelines set these for the user who started the run.
_CI_USERS = ("GITHUB_ACTOR", "BUILD_REQUESTEDFOR")


def actor(environment: Mapping[str, str] = os.environ) -> str:
    """Return who runs this command."""
    found = next((environment[name] for name in _CI_USERS if environment.get(name)), None)
    if found is not None:
        return found
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"


def author(root: Path, commit: str) -> str | None:
    """Return the author of a commit, or None if the repository does not know the commit or there is no Git."""
    known = commit.removesuffix("-dirty")
    # Git would read another text as an option, such as one that writes a file.
    if not known.isalnum():
        return None
    command = ["git", "-C", str(root), "log", "-1", "--format=%an <%ae>", known, "--"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None
