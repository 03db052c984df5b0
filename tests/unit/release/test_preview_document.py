"""Reading a preview: a reader refuses what it does not know, with one message."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from release.errors import ReleaseError
from release.preview.document import Preview, collect, read

MINIMAL = {"preview_version": 1, "stack": "dev", "changes": []}


def written(folder: Path, document: Any) -> Path:
    path = folder / "dev.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    document = Preview.model_validate(
        {
            **MINIMAL,
            "gate": [{"model": "delays:3", "deploy_flag": True, "reason": "beats version 2", "metrics": {"auc": 0.7}}],
            "quota": [{"family": "standardDSv2Family", "location": "westeurope", "needed": 8, "free": 24}],
            "policy": [
                {"rule": "P1", "severity": "mandatory", "resource": "storage", "reason": "public", "fix": "close it"}
            ],
            "cost": {
                "currency": "USD", "before": 1.5, "after": 2.0, "difference": 0.5, "assumptions": ["730 hours a month"],
                "lines": [{"resource": "cpu-cluster", "detail": "1 node", "before": None, "after": 2.0}],
            },
        }
    )  # fmt: skip
    assert read(written(tmp_path, document.model_dump_json())) == document


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({**MINIMAL, "preview_version": 2}, "has preview_version 2, and this release knows 1\n  fix: use one version"),
        ({"changes": []}, "is not a preview: it has no `preview_version`\n  fix: write it with `release preview -s"),
        ([], "is not a preview: it has no `preview_version`"),
        ({**MINIMAL, "changes": [{"name": "a"}]}, "is not a preview: changes.0.operation: Field required"),
        ({**MINIMAL, "colour": "red"}, "is not a preview: colour: Extra inputs are not permitted"),
        ("Error: stack 'dev' has no file", "is not JSON: "),
    ],
)
def test_anything_else_is_refused_with_one_message(tmp_path: Path, document: Any, problem: str) -> None:
    path = written(tmp_path, document)
    with pytest.raises(ReleaseError) as refused:
        read(path)
    assert refused.value.message.startswith(f"{path} {problem}")


def test_a_missing_file_is_named_with_the_command_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"cannot read .*dev\.json: No such file or directory\n  fix: write it with"):
        read(tmp_path / "dev.json")


@pytest.mark.parametrize("content", [None, ""], ids=["missing", "empty"])
def test_a_preview_that_wrote_nothing_is_one_that_failed(tmp_path: Path, content: str | None) -> None:
    """A job that cannot sign in does not start the preview. `> dev.json` then leaves an empty file."""
    other, file = written(tmp_path, MINIMAL), tmp_path / "prod.json"
    if content is not None:
        file.write_text(content)
    previews, missing = collect([other, file])
    assert [each.stack for each in previews] == ["dev", "prod"]
    assert missing == [file]
    (reason,) = previews[1].errors
    assert reason.startswith(f"The preview wrote no result: prod.json {'is empty' if content == '' else 'does not'}")


def test_a_pattern_that_matches_nothing_is_not_a_stack(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"cannot read .*\*\.json: No such file"):
        collect([tmp_path / "*.json"])
