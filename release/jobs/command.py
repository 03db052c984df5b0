"""The commands `release jobs`, `show`, `compare`, `metrics` and `logs`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import click
from rich.text import Text

from release.errors import ReleaseError
from release.jobs.logs import LogReader
from release.jobs.measurements import RunMeasurements, compared, measured
from release.jobs.records import find, recent, runs_of, summary
from release.jobs.show import details, print_details
from release.stack import PulumiStack
from release.terminal.console import new_console
from release.terminal.options import output_option, stack_option
from release.terminal.tables import columns, duration, moment, number, to_json
from release.untrusted import shown

_DIFFERENT = "≠"


@click.command()
@stack_option
@output_option
@click.option("--pipeline", "pipelines", multiple=True, help="Only jobs of this pipeline, component or experiment.")
@click.option("--status", "statuses", multiple=True, help="Only jobs with this status, such as Failed.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Maximum number of jobs.")
def jobs(stack: str, output: str, pipelines: tuple[str, ...], statuses: tuple[str, ...], limit: int) -> None:
    """List the latest jobs of the workspace, newest first.

    You can repeat --pipeline and --status. The list includes scheduled jobs and other users' jobs.
    """
    found = recent(PulumiStack(stack).deployed(), limit, pipelines=pipelines, statuses=statuses)
    rows = [summary(job, run) for job, run in zip(found, runs_of(found), strict=True)]
    if output == "json":
        click.echo(to_json(rows))
    elif not rows:
        new_console().print("There are no such jobs.")
    else:
        header = ("job", "pipeline", "status", "submitted (UTC)", "duration", "experiment")
        keys = ("job", "pipeline", "status")
        cells = (
            (*(row[key] for key in keys), moment(row["created"]), duration(row["seconds"]), row["experiment"])
            for row in rows
        )
        new_console().print(columns(header, cells))


@click.command()
@stack_option
@output_option
@click.argument("job")
def show(stack: str, output: str, job: str) -> None:
    """Show a job: its steps, times, inputs, outputs and lineage."""
    outputs = PulumiStack(stack).deployed()
    found = details(outputs, find(outputs, stack, job))
    if output == "json":
        click.echo(to_json(found))
    else:
        print_details(new_console(), found)


@click.command()
@stack_option
@output_option
@click.argument("names", nargs=-1, required=True, metavar="JOB JOB...")
def compare(stack: str, output: str, names: tuple[str, ...]) -> None:
    """Compare the parameters and metrics of jobs.

    Marks differences with ≠. The parameters are the jobs' inputs and the parameters that their steps logged.
    """
    if len(set(names)) < 2:
        raise ReleaseError("there is nothing to compare", fix="name two or more different jobs")
    outputs = PulumiStack(stack).deployed()
    found = [measured(find(outputs, stack, name)) for name in names]
    parts: dict[str, dict[str, tuple[list[Any], bool]]] = {
        "parameters": compared(each.parameters for each in found),
        "metrics": compared(each.metrics for each in found),
    }
    if output == "json":
        shown = {
            part: {name: {"values": values, "differs": differs} for name, (values, differs) in rows.items()}
            for part, rows in parts.items()
        }
        click.echo(to_json({"jobs": list(names), "statuses": [each.job.status for each in found], **shown}))
        return
    console = new_console()
    status = [("", "status", *(each.job.status for each in found))]
    console.print(columns(("", "", *names), status))
    for part, rows in parts.items():
        cells = (
            (_DIFFERENT if differs else "", name, *(_cell(value, differs) for value in values))
            for name, (values, differs) in rows.items()
        )
        console.print(columns(("", "", *names), cells, part) if rows else f"\nThe jobs have no {part}.")


@click.command()
@stack_option
@output_option
@click.argument("job")
@click.argument("metric", required=False)
def metrics(stack: str, output: str, job: str, metric: str | None) -> None:
    """Print the metrics of a job and its steps, or every value of one metric.

    The metrics are those that the steps logged with MLflow. Their names are `<step>.<metric>`.
    """
    outputs = PulumiStack(stack).deployed()
    found = measured(find(outputs, stack, job))
    if metric is not None:
        _history(found, metric, output)
    elif output == "json":
        click.echo(to_json({"job": job, "metrics": dict(found.metrics)}))
    elif not found.metrics:
        new_console().print(f"Job {job} logged no metrics with MLflow.")
    else:
        rows = ((name, number(value)) for name, value in found.metrics.items())
        new_console().print(columns(("metric", "last value"), rows))


@click.command()
@stack_option
@output_option
@click.argument("job")
@click.option("--step", default=None, help="Only the log of this step: its path (outer/inner), name or id.")
@click.option("--follow", is_flag=True, help="Print the logs until the job ends.")
def logs(stack: str, output: str, job: str, step: str | None, follow: bool) -> None:
    """Print the logs of a job's steps.

    With --follow, prints new lines while the job runs. Ctrl-C stops this command. The job continues.
    """
    if follow and output == "json":
        raise click.UsageError("--follow prints text: use it without --output json")
    outputs = PulumiStack(stack).deployed()
    reader = LogReader(find(outputs, stack, job), step, _write)
    if output == "json":
        click.echo(to_json(reader.texts()))
    elif follow:
        try:
            status = reader.follow()
        except KeyboardInterrupt as error:
            raise ReleaseError(f"stopped reading. Job {job} continues") from error
        click.echo(f"\njob {job}: {status}", err=True)
    else:
        reader.read()


def _history(found: RunMeasurements, metric: str, output: str) -> None:
    points = found.history(metric)
    times = [datetime.fromtimestamp(point.timestamp / 1000, UTC).isoformat() for point in points]
    if output == "json":
        rows = [
            {"step": point.step, "time": time, "value": point.value} for point, time in zip(points, times, strict=True)
        ]
        click.echo(to_json({"job": found.job.name, "metric": metric, "history": rows}))
        return
    cells = ((point.step, moment(time), number(point.value)) for point, time in zip(points, times, strict=True))
    new_console().print(columns(("step", "time (UTC)", metric), cells))


def _cell(value: Any, differs: bool) -> Text:
    text = "-" if value is None else number(value) if isinstance(value, float) else str(value)
    return Text(shown(text), "bold" if differs else "")


def _write(text: str) -> None:
    click.echo(shown(text), nl=False)
    sys.stdout.flush()
