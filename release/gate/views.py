"""A decision as a table on a terminal, and as Markdown for a comment in a pull request."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from release.gate.decision import CheckedRule, Decision
from release.markdown.escaping import code, link, prose
from release.untrusted import shown

_COLUMNS = ("result", "metric", "slice", "value", "threshold", "registered", "margin")
_MAX_ROWS = 30
"""The Markdown shows at most this many checks, those that failed first."""


def show(console: Console, decision: Decision, studio_url: str | None, files: Sequence[Path]) -> None:
    """Print a decision, the page of its job, and the downloaded files."""
    verdict = Text("accepted", "bold green") if decision.accepted else Text("refused", "bold red")
    console.print(Text.assemble(f"{decision.model}: ", verdict))
    console.print(decision.reason, highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in _COLUMNS:
        table.add_column(name, justify="right" if name in _COLUMNS[3:] else "left", no_wrap=True)
    for check in decision.checks:
        style = None if check.passed else "red"
        table.add_row(*(Text(shown(text)) for text in _cells(check)), style=style)
    console.print()
    console.print(table)
    for path in files:
        console.print(f"{path}", highlight=False, soft_wrap=True)
    if studio_url:
        console.print(f"\nrun: {studio_url}", highlight=False, soft_wrap=True)


def markdown(decision: Decision, studio_url: str | None) -> str:
    """Return a decision as Markdown, with a link to the run that has the report."""
    verdict = "accepted ✅" if decision.accepted else "refused ❌"
    checks = sorted(decision.checks, key=lambda check: check.passed)
    lines = [
        f"**Gate: {code(decision.model)} {verdict}**",
        "",
        prose(decision.reason),
        "",
        f"| {' | '.join(_COLUMNS)} |",
        "|---|---|---|--:|--:|--:|--:|",
        *(_row(_cells(check)) for check in checks[:_MAX_ROWS]),
    ]
    if len(checks) > _MAX_ROWS:
        lines.append(f"| … {len(checks) - _MAX_ROWS} more | | | | | | |")
    if studio_url:
        lines += ["", f"[Report]({link(studio_url)})"]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    result, metric, part, *numbers = cells
    return f"| {' | '.join([result, code(metric), code(part), *numbers])} |"


def _cells(check: CheckedRule) -> list[str]:
    numbers = (check.value, check.threshold, check.champion, check.margin)
    return [
        "passed" if check.passed else "refused",
        check.metric,
        check.slice or "all",
        *("" if value is None else f"{value:.4f}" for value in numbers),
    ]
