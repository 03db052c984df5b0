"""The command `release history`."""

from __future__ import annotations

import click
from rich.table import Table

from release.history.served import History, Served, served
from release.stack import PulumiStack
from release.terminal.console import new_console
from release.terminal.options import output_option, stack_option
from release.untrusted import escaped

_COMMIT = 12


@click.command()
@stack_option
@output_option
@click.option("--endpoint", default=None, help="Show this endpoint only.")
def history(stack: str, output: str, endpoint: str | None) -> None:
    """Show which model each endpoint served, when, from which commit, and who approved it.

    Reads Pulumi's history of the stack's updates, which includes updates by other programs. Lists the oldest entry
    first. docs/history.schema.json describes the JSON.
    """
    updates = PulumiStack(stack, asks_azure=False).history()
    entries = [each for each in served(updates) if endpoint in (None, each.endpoint)]
    if output == "json":
        click.echo(escaped(History(stack=stack, entries=entries).model_dump_json(indent=2)))
    elif not entries:
        new_console().print(f"Stack {stack} has served no model{f' at endpoint {endpoint}' if endpoint else ''}.")
    else:
        new_console().print(_table(entries))


def _table(entries: list[Served]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("time (UTC)", "endpoint", "model", "result", "commit", "approved by", "deployed by"):
        table.add_column(heading, overflow="fold")
    for each in entries:
        place = f" of registry {each.registry}" if each.registry else ""
        table.add_row(
            f"{each.since:%Y-%m-%d %H:%M:%S}",
            each.endpoint,
            f"{each.model} version {each.version}{place}",
            each.result,
            (each.commit or "")[:_COMMIT],
            each.approved_by or "",
            each.deployed_by or "",
        )
    return table
