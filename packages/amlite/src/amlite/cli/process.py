"""The process: start it, stop it, and see what it runs and which tools it has."""

from __future__ import annotations

import json
import sys

import click

from amlite.cli.connection import ask, end_all, ensure_started
from amlite.core import private_folder, runtime
from amlite.core.processes import reap
from amlite.pulumi import plugins

_output = click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="The format."
)


@click.command()
def start() -> None:
    """Start amlite in the background."""
    running = ensure_started()
    click.echo(f"amlite runs (pid {running.pid}, state {runtime.state_folder()})")


@click.command()
def stop() -> None:
    """Stop amlite and everything it started.

    The state stays.
    """
    state = runtime.state_folder()
    running = end_all(state)
    ended = reap(state) + plugins.end_left(state)
    private_folder.remove(state)
    left = f" ({ended} leftover processes ended)" if ended else ""
    click.echo(("amlite stopped" if running else "amlite was not running") + left)


@click.command()
@_output
def status(output: str) -> None:
    """Show what amlite runs.

    The exit code is 1 if amlite does not run.
    """
    state = runtime.state_folder()
    running = runtime.read(state)
    if running is None:
        click.echo(json.dumps({"running": False}) if output == "json" else f"amlite is not running (state {state})")
        sys.exit(1)
    report = ask(running, "GET", "/status")
    if output == "json":
        click.echo(json.dumps({"running": True, **report}))
        return
    click.echo(f"amlite     pid {report['pid']}, clock {report['now']}\nstate      {report['state']}")
    for child in report["children"]:
        click.echo(f"child      {child['name']:<24} pid {child['pid']:<8} log {child['log']}")
    for job in report["jobs"]:
        if job["status"] not in ("Completed", "Failed", "Canceled"):
            click.echo(f"job        {job['name']:<24} {job['status']}")


@click.command()
@_output
@click.option(
    "--with",
    "extra",
    multiple=True,
    type=click.Choice(["kubernetes"]),
    help="Also install this: Kubernetes is built from Go modules, which takes minutes, once.",
)
def tools(output: str, extra: tuple[str, ...]) -> None:
    """Install the missing tools, and list all.

    They are the programs that amlite runs, such as Azurite. The exit code is 1 if a required one is missing.
    """
    from amlite.tools import command

    command.show(output, extra)
