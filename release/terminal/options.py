"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable

import click

Command = Callable[..., None]


def stack_option(command: Command) -> Command:
    """Add `-s`/`--stack`."""
    return click.option(
        "-s", "--stack", required=True, envvar="PULUMI_STACK", show_envvar=True, help="Stack to use, such as dev."
    )(command)


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
