"""Faults: the occasional failures of a cloud's requests."""

from __future__ import annotations

import click

from amlite.cli.connection import ask, running
from amlite.core.fault_kinds import FaultKind

_KINDS = [kind.value for kind in FaultKind]


@click.group()
def fault() -> None:
    """Make requests fail as in a cloud.

    amlite forgets all faults when it stops.
    """


@fault.command()
@click.option("--match", required=True, help="The method, and a pattern of host and path: 'PUT */onlineEndpoints/*'.")
@click.option("--kind", required=True, type=click.Choice(_KINDS), help="What happens to the requests.")
@click.option("--times", type=click.IntRange(min=1), help="The number of requests. The default is 1 without --rate.")
@click.option("--rate", type=click.FloatRange(0, 1, min_open=True), help="The share of the requests, until cleared.")
@click.option("--seconds", type=click.FloatRange(min=0), help="The duration, for the kinds that have one.")
@click.option("--after", type=click.IntRange(min=0), default=0, help="The number of requests to let through first.")
@click.option("--status", type=int, help="The status of the kind `error`: 500, 502, 503 or 504.  [default: 500]")
@click.option("--seed", type=int, help="The same seed selects the same share of the requests.")
def add(**wanted: str | float | None) -> None:
    """Add a fault."""
    click.echo(f"fault {ask(running(), 'POST', '/faults', wanted)['id']}")


@fault.command("list")
def list_() -> None:
    """List the faults and the number of requests each failed."""
    for rule in ask(running(), "GET", "/faults")["value"]:
        extent = f"rate {rule['rate']}" if rule["rate"] is not None else f"{rule['times']} times"
        click.echo(f"{rule['id']:<4} {rule['kind']:<14} {extent:<10} met {rule['met']:<5} {rule['match']}")


@fault.command()
def clear() -> None:
    """Remove all faults."""
    click.echo(f"{ask(running(), 'DELETE', '/faults')['cleared']} faults cleared")
