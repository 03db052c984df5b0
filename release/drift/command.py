"""The command `release report-drift`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from release.preview.document import collect
from release.terminal.options import host_options


@click.command("report-drift")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@host_options
def report_drift(files: tuple[Path, ...], host: str | None, repository: str | None, dry_run: bool) -> None:
    """Report the changes that others made in Azure, in one issue of the repository.

    Each FILE is the output of `release preview --refresh --output-file STACK.json` for a stack. The command opens an
    issue on GitHub or a work item on Azure DevOps, and updates it in later runs. It closes the issue when there is no
    drift. If a preview failed or its file is missing, the command does not close the issue, and fails.
    """
    from release.drift import reporting  # needs azure.core, which is slow to import

    previews, _ = collect(files)
    if dry_run:
        click.echo(reporting.draft(previews, os.environ, host, repository), nl=False)
    else:
        reporting.report(previews, os.environ, host, repository, click.echo)
