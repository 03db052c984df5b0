"""The command `release doctor`, and the check before a stack's first update."""

from __future__ import annotations

import sys

import click
from rich.console import Console

from release.doctor.findings import Report
from release.errors import ReleaseError
from release.project import program_folder, project_folder
from release.terminal.console import new_console
from release.terminal.options import output_option, stack_option
from release.untrusted import escaped


@click.command()
@stack_option
@output_option
def doctor(stack: str, output: str) -> None:
    """Find problems that would make the first update fail, without changing anything.

    The command checks the sign-in, the subscription, your permissions, quota, Docker, Pulumi and the versions. The exit
    code is 1 if there is a problem. docs/doctor.schema.json describes the JSON.
    """
    report = _examined(stack)
    if output == "json":
        click.echo(escaped(report.model_dump_json(indent=2)))
    else:
        report.print(new_console())
    sys.exit(1 if report.failed else 0)


def check_first_update(stack: str, console: Console) -> None:
    """Print what needs attention.

    Raises:
        ReleaseError: The first update of the stack would fail.
    """
    report = _examined(stack)
    report.print(console, everything=False)
    if report.failed:
        raise ReleaseError(
            f"the first update of stack '{stack}' would fail. Nothing was changed",
            fix="solve the problems above, or skip the checks with `release up --no-doctor`",
        )


def _examined(stack: str) -> Report:
    from release.doctor.examination import examine  # needs azure.core, which is slow to import

    return examine(stack, program_folder(), project_folder())
