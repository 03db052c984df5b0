"""The acceptance run on the local Azure, as docs/real-azure.md shows it."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.steps import STEPS
from tests.checkout import checkout


def test_every_step_passes_and_the_report_says_so(tmp_path: Path) -> None:
    with checkout(tmp_path / "clone") as clone:
        try:
            clone.run("make acceptance STACK=dev AZURE=local")
        finally:
            clone.run("make down STACK=dev AZURE=local")
        (report,) = (clone.root / "acceptance").glob("dev-*.md")
        text = report.read_text("utf-8")
        assert text.startswith("# Acceptance of stack dev: passed\n")
        assert [step.name for step in STEPS if f"\n| {step.name} | passed | " not in text] == []
        assert clone.leftovers() == []
