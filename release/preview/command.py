"""The command `release preview`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from pulumi.automation.events import EngineEvent

from release import json_file
from release.cost.check import estimated
from release.errors import ReleaseError
from release.planned import PlannedResources
from release.policy import check
from release.preview import gate, markdown, quota, text
from release.preview.plan import Plan
from release.stack import PulumiStack
from release.terminal.console import new_console
from release.terminal.options import stack_option
from release.untrusted import escaped


@click.command()
@stack_option
@click.option(
    "--output", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True,
    help="Output format.",
)  # fmt: skip
@click.option(
    "--output-file", type=click.Path(dir_okay=False, path_type=Path), default=None,
    help="Also write the JSON to this file. If the preview fails, the file contains the reason.",
)  # fmt: skip
@click.option(
    "--refresh", is_flag=True, help="First read every resource from Azure, and show the changes that others made."
)
@click.option("--expect-no-changes", is_flag=True, help="Fail if the update would change anything.")
def preview(stack: str, output: str, output_file: Path | None, refresh: bool, expect_no_changes: bool) -> None:
    """Show what `pulumi up` would change, and why.

    For each asset, the preview shows the old and new version, the changed files and keys, and the changes that follow
    from others. It also shows the violated rules of policy/ and the change of the monthly cost. It fails if a mandatory
    rule is violated. With --refresh, it marks everything that others changed or deleted in Azure. It changes nothing,
    not even the state.

    docs/preview.schema.json describes the JSON, which `release comment` and `release report-drift` read. If the preview
    fails, the JSON and the Markdown contain the reason.
    """
    plan, planned, failure = Plan(), PlannedResources(), None

    def note(event: EngineEvent) -> None:
        plan(event)
        planned(event)

    try:
        PulumiStack(stack, create=True).preview(note, refresh=refresh)
    except ReleaseError as error:
        failure = error  # a reader of the document sees it there
    # A preview that failed does not have all resources.
    found = check.examined(stack, planned.resources) if failure is None else None
    checks: dict[str, Any] = {}
    if found is not None:
        checks = {"policy": check.part(found), "cost": estimated(planned.resources)}
        if output != "text" or output_file is not None:
            checks |= {"gate": gate.part(planned.resources), "quota": quota.part(planned.resources)}
    document = plan.document(stack, failure).model_copy(update=checks)
    if output_file is not None:
        json_file.write(output_file, document.model_dump_json(indent=2))
    if output == "json":
        click.echo(escaped(document.model_dump_json(indent=2)))
    elif output == "markdown":
        click.echo(markdown.document(document), nl=False)
    elif failure is None:
        text.show(new_console(), document)
    if failure is not None:
        raise failure
    check.refuse(stack, found or [])
    if expect_no_changes and document.changes:
        raise ReleaseError(f"stack '{stack}' was expected not to change, and {len(document.changes)} resources would")
