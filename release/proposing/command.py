"""The command `release propose`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from release.errors import ReleaseError
from release.project import project_folder
from release.proposing.stack_files import changed
from release.terminal.options import host_options, stack_option

_BRANCH = "release/models"
_DONE = {
    "opened": "Pull request opened",
    "updated": "Pull request updated",
    "unchanged": "Pull request unchanged",
    "closed": "Pull request closed, because the base branch has its versions",
}


@click.command()
@stack_option
@host_options
@click.option(
    "--file", "changed_file", type=click.Path(dir_okay=False, path_type=Path), default=None,
    help="The changed stack file, from another job. Default: Pulumi.<stack>.yaml.",
)  # fmt: skip
@click.option("--branch", default=_BRANCH, show_default=True, help="Branch of the pull request.")
@click.option("--base", default=None, help="Branch that it is merged into. Default: the CI job's.")
def propose(
    stack: str,
    host: str | None,
    repository: str | None,
    dry_run: bool,
    changed_file: Path | None,
    branch: str,
    base: str | None,
) -> None:
    """Open or update a pull request with the changed stack file.

    In a CI job, `release train`, `publish` and `deploy` write the chosen version to Pulumi.<stack>.yaml on the runner.
    This command commits that change to a branch. All stacks share the branch and its pull request. The command
    repeats the change on the newest version of the file, and does nothing if the file does not differ from the commit.
    It does not sign in to Azure. docs/releases.md describes the permissions.
    """
    file = project_folder() / f"Pulumi.{stack}.yaml"
    now = changed_file or file
    for each in (file, now):
        if not each.is_file():
            raise ReleaseError(f"there is no file {each}", fix="check --stack and --file")
    found = changed(file, now)
    if found is None:
        click.echo(f"{file.name} has no change to propose.")
        return
    from release.hosts.branches import keep_open  # needs azure.core, which is slow to import
    from release.hosts.connection import connect
    from release.hosts.rest import understood
    from release.proposing.proposal import proposal

    folder = found.path.removesuffix(file.name)
    paths = [f"{folder}{each.name}" for each in sorted(file.parent.glob("Pulumi.*.yaml"))]
    if dry_run:
        change = proposal(branch, base or "", found, [found.path], None)
        title, text = change.describe({found.path: found.before}, {found.path: found.after})
        click.echo(f"{title}\n\n{text}", nl=False)
        return
    there = connect(os.environ, host, repository)
    target = base or there.branch
    if target is None:
        raise ReleaseError("the CI job does not run for a branch", fix="use --base BRANCH")
    with understood(there.title):
        done, request = keep_open(there.branches(), proposal(branch, target, found, paths, there.run))
    if request is None:
        click.echo(f"Branch {target} has this version of {file.name}, so there is nothing to propose.")
    else:
        click.echo(f"{_DONE[done]}: {request.url}")
