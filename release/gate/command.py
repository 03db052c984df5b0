"""The command `release gate`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from pulumi_azureml.operations import ENDED
from release.errors import ReleaseError
from release.gate.decision import download, read_decision
from release.gate.views import markdown, show
from release.jobs.records import find
from release.jobs.trained import read
from release.stack import PulumiStack
from release.terminal.console import new_console
from release.terminal.options import stack_option
from release.untrusted import escaped, shown
from release.workspace import client


@click.command()
@stack_option
@click.option(
    "--output", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True,
    help="Output format.",
)  # fmt: skip
@click.option(
    "--report", type=click.Path(path_type=Path, file_okay=False),
    help="Download the report, its figures and decision.json to this folder.",
)  # fmt: skip
@click.option(
    "--training", type=click.Path(path_type=Path, dir_okay=False),
    help="Read the job from the file that `release train --output-file` wrote.",
)  # fmt: skip
@click.option("--summary", is_flag=True, help="Also add the decision to the summary of the CI run.")
@click.argument("job", required=False)
def gate(stack: str, output: str, report: Path | None, training: Path | None, summary: bool, job: str | None) -> None:
    """Print the gate's decision about the model of a pipeline job.

    The exit code is 0 if the gate accepted the model, and 1 if it refused the model. With --training, the exit code is
    also 0 if `release train --if-changed` skipped the training: an earlier run checked that decision, or no pipeline of
    the project has a gate. The Markdown is a table for a pull request. docs/gate-decision.schema.json describes the
    JSON.
    """
    is_new = True
    if training is not None and job is None:
        trained = read(training)
        job, is_new = trained.job, trained.is_new
        if job is None:
            if summary:
                _summarize(f"{trained.reason}\n")
            click.echo(shown(trained.reason), err=True)
            return
    elif job is None or training is not None:
        raise click.UsageError("name a job, or use --training FILE")
    outputs = PulumiStack(stack).deployed()
    found = find(outputs, stack, job)
    if found.status != "Completed":
        fix = f"release logs {job} -s {stack}" if found.status in ENDED else "wait until it ends"
        raise ReleaseError(f"job {job} has no decision: its status is {found.status}", fix=fix)
    ml = client(outputs)
    decision = read_decision(ml, job)
    files = download(ml, job, report) if report is not None else []
    if summary:
        _summarize(markdown(decision, found.studio_url))
    if output == "json":
        click.echo(escaped(decision.model_dump_json(indent=2)))
    elif output == "markdown":
        click.echo(markdown(decision, found.studio_url), nl=False)
    else:
        show(new_console(), decision, found.studio_url, files)
    if not is_new:
        click.echo(f"Not a new decision: job {job} ran before, and nothing was trained since.", err=True)
    sys.exit(0 if decision.accepted or not is_new else 1)


def _summarize(text: str) -> None:
    from release.hosts.connection import connect  # needs azure.core, which is slow to import

    try:
        connect(os.environ, None, None).summarize(text)
    except ReleaseError as error:
        problem = error.message.partition("\n")[0]
        raise ReleaseError(f"there is no summary: {problem}", fix="omit --summary outside a CI job") from error
