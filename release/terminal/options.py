"""Options that several commands have."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import click

from release.project import CWD_VARIABLE

Command = Callable[..., None]


def stack_option(command: Command) -> Command:
    """Add `-s`/`--stack`."""
    return click.option(
        "-s", "--stack", required=True, envvar="PULUMI_STACK", show_envvar=True, help="Stack to use, such as dev."
    )(command)


def folder_option(default: Path) -> Callable[[Command], Command]:
    """Add `--cwd`, which makes this process work on the project in a folder."""

    def use(_context: click.Context, _option: click.Parameter, folder: str) -> None:
        os.environ[CWD_VARIABLE] = str(Path(folder).resolve())

    return click.option(
        "--cwd", envvar=CWD_VARIABLE, show_envvar=True, type=click.Path(exists=True, file_okay=False),
        default=default, expose_value=False, callback=use, help="Folder with the stack file. Default: the example's.",
    )  # fmt: skip


def output_option(command: Command) -> Command:
    """Add `--output`."""
    choice = click.Choice(["text", "json"])
    return click.option("--output", type=choice, default="text", show_default=True, help="Output format.")(command)


def inputs_option(command: Command) -> Command:
    """Add `--input`, which can be repeated."""
    return click.option(
        "-i", "--input", "inputs", multiple=True, metavar="NAME=VALUE",
        help="Set an input. You can repeat this option.",
    )(command)  # fmt: skip


def rerun_option(command: Command) -> Command:
    """Add `--force-rerun`."""
    return click.option(
        "--force-rerun", is_flag=True,
        help="Run every step. By default, Azure ML takes the results of an earlier step with the same code and inputs.",
    )(command)  # fmt: skip


def host_options(command: Command) -> Command:
    """Add `--host`, `--repository` and `--dry-run`."""
    for option in (
        click.option("--dry-run", is_flag=True, help="Print the text, and send nothing."),
        click.option("--repository", help="OWNER/NAME or [PROJECT/]NAME of the repository. Default: the job's."),
        click.option(
            "--host",
            type=click.Choice(["github", "azure-devops"]),
            help="Host of the repository. Default: the CI job's.",
        ),
    ):
        command = option(command)
    return command
