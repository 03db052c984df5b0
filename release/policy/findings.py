"""What breaks a rule, as a part of the documents that the release writes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from rich.console import Console
from rich.markup import escape


class PolicyFinding(BaseModel):
    """A rule that a resource breaks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: str = Field(description="Id of the rule.")
    severity: Literal["mandatory", "advisory"] = Field(description="`mandatory`: the update is refused.")
    resource: str = Field(description="Name of the resource or asset.")
    reason: str = Field(description="What is wrong and why it matters, or which exception allows it.")
    fix: str = Field(description="Edit that solves it.")


_STYLES = {"mandatory": "red", "advisory": "yellow"}


def show(console: Console, findings: Iterable[PolicyFinding]) -> None:
    """Print findings."""
    for each in findings:
        console.print(
            f"[{_STYLES[each.severity]}]{each.severity}[/] {each.rule}: {escape(each.resource)}: {escape(each.reason)}",
            markup=True,
            highlight=False,
            soft_wrap=True,
        )
        console.print(f"      fix: {each.fix}", highlight=False, soft_wrap=True)
