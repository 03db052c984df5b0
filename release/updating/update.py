"""Updates a stack: completes an interrupted update, and replaces renamed resources only with consent."""

from __future__ import annotations

import sys
from typing import Any

import click
from rich.console import Console

from release.engine import Changes
from release.errors import ExistingError, ReleaseError, RenamedError
from release.planned import PlannedResources
from release.policy.check import examined, refuse
from release.stack import PulumiStack
from release.terminal.progress import UpdateProgress
from release.updating.attempts import persistently
from release.updating.interruption import forget, interruption, names, own, take_over


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
    interrupted = interruption(target)
    if interrupted.changing:
        _say(console, f"an earlier update was interrupted; reading the state of {names(interrupted.changing)}")
        persistently(console, lambda _: target.refresh(interrupted.changing, UpdateProgress(console)))
    planned = persistently(console, lambda _: _planned(target))
    refuse(target.name, examined(target.name, planned.resources))
    options: dict[str, Any] = {"at_once": at_once, "why": why}
    try:
        changes = _completed(target, console, interrupted.creating, **options)
    except RenamedError as error:
        if not replace_renamed:
            _confirm(target, console, error)
        changes = _completed(target, console, interrupted.creating, replace_renamed=True, **options)
    if changes.unchanged:
        console.print("  no changes")
    elif target.recovered():
        console.print("  the key vault was recovered with its old settings; bringing them up to date", highlight=False)
        persistently(console, lambda _: target.up(UpdateProgress(console), **options))


def _planned(target: PulumiStack) -> PlannedResources:
    planned = PlannedResources()
    target.preview(planned)
    return planned


def _completed(target: PulumiStack, console: Console, begun: list[str], **options: Any) -> Changes:
    """Update the stack. Take over the resources that an interrupted update had begun to create and that exist.

    The state has no id of such a resource, and nothing of it if its provider was killed and the engine was not.
    azure-native refuses to create it again, and names its id. Each round takes over at least one resource, so the
    rounds end.
    """
    remaining = set(begun)

    def run(again: bool) -> Changes:
        more: dict[str, Any] = {"keep_going": True} if again or begun else {}
        return target.up(UpdateProgress(console), **more, **options)

    while True:
        try:
            changes = persistently(console, run)
        except ExistingError as error:
            found = {urn: id for urn, id in error.existing.items() if urn in remaining} or own(target, error.existing)
            if not found:
                raise
            _say(console, f"an earlier update had begun to create {names(found)}; taking over what Azure has")
            take_over(target, found, error.wanted, UpdateProgress(console))
            remaining -= found.keys()
        else:
            if begun:
                forget(target, UpdateProgress(console))
            return changes


def _say(console: Console, line: str) -> None:
    console.print(f"  {line}", highlight=False, markup=False)


def _confirm(target: PulumiStack, console: Console, error: RenamedError) -> None:
    if not sys.stdin.isatty():
        fix = f"restore the previous names, or use release up --replace-renamed --stack {target.name}"
        raise ReleaseError(error.message, fix=fix) from error
    console.print(error.message, highlight=False, markup=False, soft_wrap=True)
    click.confirm("Replace these resources, and lose everything in them?", abort=True)
