"""The architecture decision records follow one template, and a superseded record and its successor name each other."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from tests.documentation import ROOT

FOLDER = ROOT / "docs" / "adr"
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))
_HEAD = re.compile(
    r"# (?P<number>\d+)\. (?P<title>.+)\n"
    r"\n"
    r"- Status: (?P<status>.+)\n"
    r"- Date: (?P<date>.+)\n"
    r"(- Supersedes: (?P<supersedes>.+)\n)?"
    r"\n"
    r"## Context\n"
)
_REFERENCE = re.compile(r"\[(?P<number>\d+)\]\((?P<file>[^)]+)\)")
_SUPERSEDED = "Superseded by "


def head(record: Path) -> re.Match[str]:
    matched = _HEAD.match(record.read_text("utf-8"))
    assert matched, f"{record.name} does not begin as docs/adr/template.md does"
    return matched


def referred(reference: str) -> Path:
    """Return the record that `[number](file)` names."""
    matched = _REFERENCE.fullmatch(reference)
    assert matched, f"'{reference}' is not [N](file)"
    assert int(matched["file"][:4]) == int(matched["number"])
    return FOLDER / matched["file"]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_every_record_follows_the_template(record: Path) -> None:
    found = head(record)
    assert int(found["number"]) == int(record.name[:4])
    assert found["status"] in ("Proposed", "Accepted") or found["status"].startswith(_SUPERSEDED)
    date.fromisoformat(found["date"])
    sections = re.findall(r"^## (.+)$", record.read_text("utf-8"), re.MULTILINE)
    assert sections == ["Context", "Decision", "Consequences"]


def test_the_template_has_the_sections_of_a_record() -> None:
    sections = re.findall(r"^## (.+)$", (FOLDER / "template.md").read_text("utf-8"), re.MULTILINE)
    assert sections == ["Context", "Decision", "Consequences"]


def test_a_superseded_record_and_its_successor_name_each_other() -> None:
    superseded = {
        record: referred(head(record)["status"].removeprefix(_SUPERSEDED))
        for record in RECORDS
        if head(record)["status"].startswith(_SUPERSEDED)
    }
    successors = {
        referred(head(record)["supersedes"]): record for record in RECORDS if head(record)["supersedes"] is not None
    }
    assert superseded == successors
    assert all(head(old)["date"] <= head(new)["date"] for old, new in superseded.items())


def test_every_record_is_listed_with_its_number_and_title() -> None:
    listed = re.findall(r"^- \[(.+)\]\((.+\.md)\)", (FOLDER / "README.md").read_text("utf-8"), re.MULTILINE)
    assert listed == [(f"{head(record)['number']}. {head(record)['title']}", record.name) for record in RECORDS]
