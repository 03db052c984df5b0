"""The command `release gate`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pulumi_azureml.operations import ENDED
from release.errors import ReleaseError
from release.gate.decision import download, read_decision
from release.gate.views import markdown, show
from release.jobs.records import find
from release.stack import PulumiStack
from release.terminal.console import new_console
from release.terminal.options import stack_option
from release.workspace import client


@click.command()
@stack_option
@click.option(
    "--output", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True,
    help="Output format.",
)  # fmt: skip
@click.option(
    "--report", type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the report, its figures and decision.json.",
)  # fmt: skip
@click.argument("job")
def gate(stack: str, output: str, report: Path | None, job: str) -> None:
    """Print the gate's decision about the model of a pipeline job.

    Exits with code 0 if the gate accepted the model, and with 1 if it refused it. docs/gate-decision.schema.json
    describes the JSON. The Markdown is for a comment in a pull request.
    """
    outputs = PulumiStack(stack).deployed()
    found = find(outputs, stack, job)
    if found.status != "Completed":
        fix = f"release logs {job} -s {stack}" if found.status in ENDED else "wait until it ends"
        raise ReleaseError(f"job {job} has no decision: its status is {found.status}", fix=fix)
    ml = client(outputs)
    decision = read_decision(ml, job)
    files = download(ml, job, report) if report is not None else []
    if output == "json":
        click.echo(decision.model_dump_json(indent=2))
    elif output == "markdown":
        click.echo(markdown(decision, found.studio_url), nl=False)
    else:
        show(new_console(), decision, found.studio_url, files)
    sys.exit(0 if decision.accepted else 1)
