"""The command `release ci-login`."""

from __future__ import annotations

import sys

import click


@click.command("ci-login")
@click.option(
    "--every", type=click.FloatRange(min=0.1), default=None,
    help="Seconds between two renewals of the token file. Default: half a token's lifetime.",
)  # fmt: skip
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def ci_login(every: float | None, command: tuple[str, ...]) -> None:
    """Run a command in a CI job, signed in for hours: release ci-login -- COMMAND.

    Works in GitHub Actions and Azure Pipelines, with federated credentials. The ID tokens of these platforms live for
    minutes. This command lets both Pulumi providers and the release use a new one each time. docs/ci-sign-in.md
    describes the variables that a job needs.
    """
    from release.ci.job import run  # needs azure.core, which is slow to import

    sys.exit(run(command, every, lambda line: click.echo(line, err=True)))
