"""The report of an acceptance run, in Markdown, without ids of tenants, subscriptions or people."""

from __future__ import annotations

import itertools
import platform
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from typing import Literal

_GUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
_PACKAGES = ("pulumi", "pulumi-azure-native", "pulumi-docker", "azure-ai-ml", "azure-identity")
_TAIL = 60


@dataclass(frozen=True)
class Result:
    """How a step ended.

    Attributes:
        step: Name of the step.
        outcome: `skipped` if an earlier step failed.
        seconds: Duration.
        detail: What the step observed, or the reason for its failure.
        output: What its commands printed.
    """

    step: str
    outcome: Literal["passed", "failed", "skipped"]
    seconds: float
    detail: str
    output: str = ""


def redacted(text: str) -> str:
    """Replace each distinct GUID with a number, so that equal ids stay equal."""
    numbers = itertools.count(1)
    known: dict[str, str] = {}

    def number(found: re.Match[str]) -> str:
        return known.setdefault(found[0].lower(), f"<id-{next(numbers)}>")

    return _GUID.sub(number, text)


def report(stack: str, configuration: str, pulumi: str, results: Iterable[Result]) -> str:
    """Return the report.

    Args:
        stack: Name of the stack.
        configuration: The stack file that was used.
        pulumi: Version of the Pulumi CLI.
        results: All steps, in order.
    """
    results = list(results)
    passed = all(each.outcome == "passed" for each in results)
    versions = {"Python": platform.python_version(), "Pulumi CLI": pulumi}
    versions |= {name: metadata.version(name) for name in _PACKAGES}
    lines = [
        f"# Acceptance of stack {stack}: {'passed' if passed else 'failed'}",
        "",
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {platform.system()} {platform.machine()}. Ids are numbers here.",
        "",
        "| step | result | time | what was seen |",
        "|---|---|---|---|",
        *(f"| {each.step} | {each.outcome} | {_duration(each.seconds)} | {_cell(each.detail)} |" for each in results),
        f"| | | {_duration(sum(each.seconds for each in results))} | |",
        "",
        "## Versions",
        "",
        *(f"- {name} {version}" for name, version in versions.items()),
        "",
        "## Configuration",
        "",
        "```yaml",
        configuration.strip(),
        "```",
    ]
    for each in results:
        if each.outcome == "failed":
            tail = each.output.strip().splitlines()[-_TAIL:]
            lines += ["", f"## Output of {each.step}", "", "```text", *tail, "```"]
    return redacted("\n".join(lines) + "\n")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
