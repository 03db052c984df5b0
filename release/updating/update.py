"""Updates a stack: completes an interrupted update, and replaces renamed resources only with consent."""

from __future__ import annotations

import sys

import click
from rich.console import Console

from release.errors import ReleaseError, RenamedError
from release.planned import PlannedResources
from release.policy.check import examined, refuse
from release.stack import PulumiStack
from release.terminal.progress import UpdateProgress


def update(
    target: PulumiStack,
    console: Console,
    *,
    replace_renamed: bool = False,
    at_once: bool = False,
    why: str | None = None,
) -> None:
    """Update a stack, and print its progress. A preview first refuses what would fail, or what a rule forbids.

    Args:
        target: The stack.
        console: Gets the progress.
        replace_renamed: Replace resources whose names have changed, without a question.
        at_once: Give new deployments all the traffic in one step, after their smoke tests.
        why: Message of the update in Pulumi's history.

    Raises:
        ReleaseError: The update failed, a mandatory rule is broken, or it would replace resources whose names have
            changed. If there is a terminal, the user is asked first.
    """
    interrupted = target.interrupted()
    if interrupted:
        names = ", ".join(urn.rpartition("::")[2] for urn in interrupted)
        console.print(
            f"  an earlier update was interrupted; reading the state of {names}", highlight=False, markup=False
        )
        target.refresh(interrupted, UpdateProgress(console))
    planned = PlannedResources()
    target.preview(planned)
    refuse(target.name, examined(target.name, planned.resources))
    try:
        changes = target.up(UpdateProgress(console), at_once=at_once, why=why)
    except RenamedError as error:
        if not replace_renamed:
            _confirm(target, console, error)
        changes = target.up(UpdateProgress(console), replace_renamed=True, at_once=at_once, why=why)
    if changes.unchanged:
        console.print("  no changes")
    elif target.recovered():
        console.print("  the key vault was recovered with its old settings; bringing them up to date", highlight=False)
        target.up(UpdateProgress(console), at_once=at_once, why=why)


def _confirm(target: PulumiStack, console: Console, error: RenamedError) -> None:
    if not sys.stdin.isatty():
        fix = f"restore the previous names, or use release up --replace-renamed --stack {target.name}"
        raise ReleaseError(error.message, fix=fix) from error
    console.print(error.message, highlight=False, markup=False, soft_wrap=True)
    click.confirm("Replace these resources, and lose everything in them?", abort=True)
