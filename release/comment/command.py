"""The command `release comment`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from release.errors import ReleaseError
from release.preview.document import collect
from release.terminal.options import host_options


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@host_options
@click.option("--pull-request", type=int, help="Number of the pull request. Default: the CI job's.")
def comment(
    files: tuple[Path, ...], host: str | None, repository: str | None, dry_run: bool, pull_request: int | None
) -> None:
    """Post the planned changes of all stacks as one comment on the pull request.

    Each FILE is the output of `release preview --output-file STACK.json` for a stack. If a file is missing or empty,
    the comment says that the preview of this stack failed, and the command fails after it has posted the comment. A
    later run updates the same comment. If no stack changes, no comment is created. The complete text is also in the
    summary of the CI run. docs/pull-requests.md describes the permissions.
    """
    from release.comment import posting  # needs azure.core, which is slow to import

    previews, missing = collect(files)
    if dry_run:
        click.echo(posting.draft(previews, os.environ, host, repository), nl=False)
    else:
        posting.post(previews, os.environ, host, repository, pull_request, click.echo)
    if missing:
        raise ReleaseError(
            f"these previews wrote no result: {', '.join(map(str, missing))}", fix="see the log of each preview"
        )
