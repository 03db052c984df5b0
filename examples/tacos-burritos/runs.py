"""Runs of the pipeline: start one, list them, and start the recurring runs that are due.

python runs.py run -s dev -p held_out=noto
python runs.py list -s dev
python runs.py due -s dev
"""

from __future__ import annotations

from datetime import UTC, datetime

import click
import yaml
from croniter import croniter
from deployed import Deployed
from pipeline_runner.errors import RunnerError
from pipeline_runner.records import RunRecord, TaskRecord
from rich.console import Console
from stored import documents
from submission import ENGINES, HERE, EngineName, Submission

from release.errors import ReleaseError
from release.terminal.console import new_console
from release.terminal.options import folder_option, stack_option
from release.terminal.tables import columns, duration


class Printed:
    """Prints what happens in a run."""

    def __init__(self, console: Console, submission: Submission) -> None:
        """Print to `console`, and keep the record of the run in the stack."""
        self._console = console
        self._submission = submission

    def started(self, run: RunRecord) -> None:
        """See `Observer`."""
        self._console.print(f"  run {run.id} of version {run.version}, in {run.engine}")

    def said(self, text: str) -> None:
        """See `Observer`."""
        self._console.print(f"  {text}", style="dim", highlight=False)

    def changed(self, task: TaskRecord) -> None:
        """See `Observer`."""
        if task.status != "Running":
            took = duration(task.seconds) if task.seconds else ""
            self._console.print(f"    {task.name:<12} {task.status:<10} {took:>9}", highlight=False)

    def ended(self, run: RunRecord) -> None:
        """See `Observer`."""
        self._submission.keep(run)


@click.group()
@folder_option(HERE)
def main() -> None:
    """Start and show runs of the pipeline."""


@main.command()
@stack_option
@click.option("-p", "--parameter", "given", multiple=True, metavar="NAME=VALUE", help="A parameter. Repeatable.")
@click.option("--engine", type=click.Choice(ENGINES), default="auto", show_default=True, help="What runs the steps.")
def run(stack: str, given: tuple[str, ...], engine: EngineName) -> None:
    """Run the pipeline to its end."""
    pairs = [each.partition("=") for each in given]
    if wrong := [name for name, sign, _ in pairs if not sign]:
        raise click.UsageError(f"--parameter {wrong[0]}: must have the form NAME=VALUE")
    _started(Deployed.read(stack).submission, {name: value for name, _, value in pairs}, engine)


@main.command(name="list")
@stack_option
def list_runs(stack: str) -> None:
    """List the runs, the latest first."""
    found = Deployed.read(stack).submission.runs()
    rows = [(each.id, each.version, each.status, duration(each.seconds), each.cause) for each in found]
    new_console().print(columns(("run", "version", "status", "time", "started by"), rows))


@main.command()
@stack_option
def kubeconfig(stack: str) -> None:
    """Print the kubeconfig of the stack's cluster, for kubectl."""
    click.echo(Deployed.read(stack).submission.kubeconfig())


@main.command()
@stack_option
def due(stack: str) -> None:
    """Start the recurring runs whose time has come since their last run. A scheduler calls this, such as cron."""
    deployed, console = Deployed.read(stack), new_console()
    now, found, failed = datetime.now(UTC), deployed.submission.runs(), []
    for name, url in sorted(deployed.recurring.items()):
        content = yaml.safe_load(documents.read(url) or "{}")
        if not content:
            raise ReleaseError(f"the recurring run {url} is gone", fix=f"release up --stack {stack}")
        last = next((each.started for each in found if each.cause == name), None)
        if not content["enabled"]:
            console.print(f"{name} is disabled", highlight=False)
            continue
        if is_due(content["cron"], last, now):
            console.print(f"{name} is due", highlight=False)
            try:
                _started(deployed.submission, content["parameters"], "auto", name)
            except ReleaseError as error:
                console.print(f"  {error.message}", style="red", highlight=False)
                failed.append(name)
        console.print(f"{name}: next at {next_time(content['cron'], now):%Y-%m-%d %H:%M} UTC", highlight=False)
    if failed:
        raise ReleaseError(f"the recurring run {', '.join(failed)} failed")


def is_due(cron: str, last: str | None, now: datetime) -> bool:
    """Whether a time of a schedule has passed since the last run. Without a run, the last time counts."""
    return last is None or datetime.fromisoformat(last) < croniter(cron, now).get_prev(datetime)


def next_time(cron: str, now: datetime) -> datetime:
    """Return the next time of a schedule."""
    found: datetime = croniter(cron, now).get_next(datetime)
    return found


def _started(submission: Submission, given: dict[str, str], engine: EngineName, cause: str = "") -> None:
    try:
        submission.run(given, engine, Printed(new_console(), submission), cause)
    except RunnerError as error:
        raise ReleaseError(str(error)) from error


if __name__ == "__main__":
    main()
