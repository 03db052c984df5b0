"""The command `release policy`."""

from __future__ import annotations

import click
from pydantic import BaseModel, ConfigDict, Field

from release.planned import PlannedResources
from release.policy.check import examined, part, refuse
from release.policy.findings import PolicyFinding, show
from release.stack import PulumiStack
from release.terminal.console import new_console
from release.terminal.options import output_option, stack_option
from release.untrusted import escaped


class PolicyReport(BaseModel):
    """The output of `release policy --output json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stack: str = Field(description="Name of the stack.")
    findings: list[PolicyFinding] = Field(description="Rules that the stack breaks, mandatory ones first.")


@click.command()
@stack_option
@output_option
def policy(stack: str, output: str) -> None:
    """Check what `pulumi up` would deploy against the rules in policy/.

    The command changes nothing. It fails if a mandatory rule is violated. docs/policy.md lists the rules.
    """
    planned = PlannedResources()
    PulumiStack(stack, create=True).preview(planned)
    found = examined(stack, planned.resources)
    report = PolicyReport(stack=stack, findings=part(found))
    if output == "json":
        click.echo(escaped(report.model_dump_json(indent=2)))
    else:
        console = new_console()
        show(console, report.findings)
        console.print(
            f"{len(found)} findings for {len(planned.resources)} resources." if found else "No rule is broken."
        )
    refuse(stack, found)
