"""Writes the report: one HTML file that needs no other, and the figures as PNG files."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from decision import REPORT, number
from figures import Picture, Version, draw
from jinja2 import Environment, StrictUndefined
from predictions import Predictions

_TEMPLATE = Path(__file__).parent / "report.html.j2"


def write_report(
    folder: Path, decision: Mapping[str, Any], predictions: Predictions, history: Sequence[Version]
) -> None:
    """Write report.html and its figures to a folder."""
    pictures = draw(predictions, decision, history)
    for picture in pictures:
        (folder / f"{picture.name}.png").write_bytes(picture.png)
    (folder / REPORT).write_text(render(decision, pictures, history), encoding="utf-8")


def render(decision: Mapping[str, Any], pictures: Sequence[Picture], history: Sequence[Version]) -> str:
    """Return the HTML. Every value is escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["number"] = lambda value: "" if value is None else number(value)
    environment.filters["base64"] = lambda png: base64.b64encode(png).decode("ascii")
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        decision=decision,
        verdict="accepted" if decision["deploy_flag"] else "refused",
        pictures=pictures,
        history=history,
        metrics=list(dict.fromkeys(check["metric"] for check in decision["checks"])),
    )
