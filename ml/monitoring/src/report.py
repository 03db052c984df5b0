"""The report of one comparison: JSON for programs, and HTML for people."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any

from signals import Finding

REPORT_VERSION = 1
"""Readers refuse a version that they do not know. docs/monitoring-report.schema.json describes this one."""

_STYLE = """body{font:15px system-ui;margin:2em;max-width:70em}table{border-collapse:collapse;margin:1em 0}
td,th{border:1px solid #ccc;padding:.3em .7em;text-align:left}.over{background:#fdd}"""


@dataclass(frozen=True)
class Source:
    """Where rows of the window came from: a deployment, and the models that it served meanwhile."""

    deployment: str
    models: list[str]
    rows: int
    first: str
    last: str


@dataclass(frozen=True)
class Report:
    """The result of one run.

    Attributes:
        status: `compared`, `not_enough_rows`, or `no_data` for an empty window.
        reason: The result as a sentence.
        notes: What was not compared, and why.
    """

    status: str
    reason: str
    window: dict[str, str]
    rows: int
    reference_rows: int
    sources: list[Source] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def exceeded(self) -> list[Finding]:
        """The findings that pass their thresholds."""
        return [finding for finding in self.findings if finding.exceeded]

    @property
    def detected(self) -> bool:
        """Whether the data drifted."""
        return bool(self.exceeded)

    def json(self) -> dict[str, Any]:
        """Return the content of report.json."""
        return {"report_version": REPORT_VERSION, "drift_detected": self.detected, **asdict(self)}

    def html(self) -> str:
        """Return the content of report.html."""
        title = "Drift detected" if self.detected else "No drift detected"
        sources = [(each.deployment, ", ".join(each.models), each.rows, each.first, each.last) for each in self.sources]
        period = f"{self.window['start']} to {self.window['end']}"
        parts = [
            f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style>",
            f"<h1>{title}</h1><p>{escape(self.reason)}</p>",
            f"<p>Window {period}: {self.rows} rows. Reference: {self.reference_rows} rows.</p>",
            _table(("deployment", "models", "rows", "first", "last"), sources) if sources else "",
            *(f"<p>{escape(note)}</p>" for note in self.notes),
        ]
        for signal in dict.fromkeys(finding.signal for finding in self.findings):
            rows = [finding for finding in self.findings if finding.signal == signal]
            parts.append(f"<h2>{escape(signal.replace('_', ' ').capitalize())}</h2>")
            parts.append(
                _table(
                    ("feature", "metric", "value", "reference", "threshold", ""),
                    [_cells(finding) for finding in sorted(rows, key=lambda finding: not finding.exceeded)],
                    [finding.exceeded for finding in sorted(rows, key=lambda finding: not finding.exceeded)],
                )
            )
        return "\n".join(parts) + "\n"


def _cells(finding: Finding) -> tuple[object, ...]:
    reference = "" if finding.reference is None else f"{finding.reference:.4g}"
    mark = "over the threshold" if finding.exceeded else ""
    return finding.feature, finding.metric, f"{finding.value:.4g}", reference, f"{finding.threshold:.4g}", mark


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]], over: Sequence[bool] = ()) -> str:
    lines = ["<table><tr>" + "".join(f"<th>{escape(head)}</th>" for head in heads) + "</tr>"]
    for number, row in enumerate(rows):
        mark = " class=over" if number < len(over) and over[number] else ""
        lines.append(f"<tr{mark}>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>")
    return "".join(lines) + "</table>"
