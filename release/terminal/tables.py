"""Aligned tables, times and numbers for people, and JSON for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from release.untrusted import escaped, shown


def grid(title: str) -> Table:
    """Return a table of names and values without a header."""
    table = Table.grid(padding=(0, 2))
    table.title = f"\n{title}"
    table.title_justify = "left"
    table.title_style = "bold"
    table.add_column(style="dim", no_wrap=True, min_width=16)
    table.add_column(overflow="fold")
    return table


def columns(header: Sequence[str], rows: Iterable[Sequence[Any]], title: str = "") -> Table:
    """Return a table with a header. Cells are text, or styled `Text`, and are not cut."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    if title:
        table.title = f"\n{title}"
    table.title_justify = "left"
    table.title_style = "bold"
    for name in header:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(shown(str(cell))) for cell in row))
    return table


def number(value: float) -> str:
    """Return a metric for people: four decimals, or none if it is whole."""
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "-∞"}.get(value, "NaN")
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.4f}"


def moment(text: str | None) -> str:
    """Return a time of Azure in UTC without fractions of a second, or a dash if there is none."""
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if text else "-"


def seconds(began: str | None, ended: str | None) -> float | None:
    """Return the seconds between two times of Azure, or None if one is missing."""
    if not began or not ended:
        return None
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds()


def duration(value: float | None) -> str:
    """Return seconds for people, or a dash."""
    if value is None:
        return "-"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d} h" if hours else f"{minutes}:{rest:02d} min"


def to_json(value: Any) -> str:
    """Return a value as JSON. NaN and the infinities, which JSON does not have, become null."""
    return escaped(json.dumps(json.loads(json.dumps(value), parse_constant=lambda _constant: None), indent=2))
