"""The command `release down`."""

from __future__ import annotations

import click

from release.destroying import purging
from release.destroying.purging import Kept
from release.stack import PulumiStack
from release.terminal.console import new_console
from release.terminal.options import stack_option
from release.terminal.progress import UpdateProgress
from release.updating.interruption import names, outside_ids, take_over


@click.command()
@stack_option
@click.option(
    "--purge", is_flag=True,
    help="Also delete for good what Azure would keep: the workspace, and the key vault if it has no purge protection.",
)  # fmt: skip
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def down(stack: str, purge: bool, yes: bool) -> None:
    """Destroy all resources of the stack.

    Azure keeps a deleted workspace for 14 days and a deleted key vault for its retention period. Their names are taken
    until then. With --purge, the names are available at once. You can also use it after the stack was destroyed.
    """
    console = new_console()

    def say(line: str) -> None:
        console.print(f"  {line}", highlight=False)

    target = PulumiStack(stack)
    kept = purging.planned(target, say) if purge else Kept()
    if not yes:
        click.confirm(f"Destroy all resources of stack '{stack}'?", abort=True)
    begun = outside_ids(target)
    if begun:
        say(f"an earlier update was interrupted; looking for {names(begun)}")
        take_over(target, begun, {}, UpdateProgress(console))
    purging.purge_workspaces(target, kept, UpdateProgress(console), say)
    target.destroy(UpdateProgress(console))
    if purge:
        purging.purge_leftovers(target, say)
    console.print(f"All resources of stack {stack} are destroyed.")
    purging.tell_what_azure_keeps(target, console.print, purged=purge)
