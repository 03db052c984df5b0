"""The command `release new`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from release.project import program_folder
from release.starting.template import render

_NEXT = """\
The project is ready. Next:

  cd {folder}
  git init --quiet && git add . && git commit --quiet --message "Start"
  make up

Do you have YAML of `az ml`? Then: .venv/bin/release import FOLDER --stack local && make preview
README.md and docs/new-project.md say more."""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--project", help="Name of the project: part of the names in Azure.")
@click.option("--prefix", help="Prefix of the names of all resources, such as the team. Default: mlops.")
@click.option("--region", help="Azure region. Default: westeurope.")
@click.option("--owner", help="Owner of the repository on GitHub. Default: contoso.")
@click.option(
    "--from", "source", metavar="SOURCE",
    help="Git repository to start from, and to update from later. Default: this one.",
)  # fmt: skip
@click.option("--defaults", is_flag=True, help="Ask nothing: take the default of what no option gives.")
def new(
    folder: Path,
    project: str | None,
    prefix: str | None,
    region: str | None,
    owner: str | None,
    source: str | None,
    defaults: bool,
) -> None:
    """Start a project of your own in FOLDER.

    The project has this repository's program and packages, a starter pipeline, and none of its example. The command
    asks for the names that no option gives. `copier update` brings later versions into the project.
    """
    given = {"project": project, "prefix": prefix, "region": region, "owner": owner}
    answers = {key: value for key, value in given.items() if value is not None}
    click.echo(f"Making a project in {folder}. This takes some seconds.", err=True)
    render(source or str(program_folder()), folder, answers, asks=not defaults)
    click.echo(_NEXT.format(folder=shlex.quote(str(folder))))
