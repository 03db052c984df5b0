"""The acceptance run: its report, and what it does when a step fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.acceptance import __main__ as acceptance
from tests.acceptance.report import Result, redacted, report
from tests.acceptance.steps import Run, Step, StepError

ID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
OTHER = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


def test_equal_ids_stay_equal_and_none_is_left() -> None:
    text = redacted(f"/subscriptions/{ID}/x {OTHER} {ID.upper()}")
    assert text == "/subscriptions/<id-1>/x <id-2> <id-1>"


def test_a_report_has_every_step_and_the_output_of_a_failed_one() -> None:
    results = [
        Result("up", "passed", 61.4, "12 resources"),
        Result("train", "failed", 3, "a | b", f"first\njob of {ID} failed\n"),
        Result("destroy", "skipped", 0, "an earlier step failed"),
    ]
    text = report("dev", f"azure-native:tenantId: {ID}\n", "v3.0.0", results)
    assert "# Acceptance of stack dev: failed" in text
    assert "| up | passed | 1 min 1 s | 12 resources |" in text
    assert "| train | failed | 3 s | a \\| b |" in text
    assert "## Output of train" in text
    assert "## Output of up" not in text
    assert ID not in text
    assert "job of <id-1> failed" in text


@pytest.fixture
def pulumi(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Answer the run's Pulumi commands; the dictionary holds the stacks and resources, and the commands that ran."""
    there: dict[str, Any] = {"stacks": [], "resources": [], "ran": []}

    def command(_run: Run, *words: str, expect: int = 0) -> str:
        assert expect == 0
        there["ran"].append(words[1:4])
        if words[1:3] == ("stack", "ls"):
            return json.dumps([{"name": each} for each in there["stacks"]])
        if words[1:3] == ("stack", "export"):
            return json.dumps({"deployment": {"resources": there["resources"]}})
        return "v3.0.0"

    monkeypatch.setattr(Run, "command", command)
    return there


def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *steps: Step, expect: int) -> str:
    monkeypatch.setattr(acceptance, "STEPS", steps)
    done = CliRunner().invoke(acceptance.main, ["--stack", "dev", "--folder", str(tmp_path)])
    assert done.exit_code == expect, done.output
    return done.output


def step(name: str, outcome: Callable[[], str], *, always: bool = False) -> Step:
    return Step(name, lambda _run: outcome(), always)


def fails() -> str:
    raise StepError("the endpoint is gone")


@pytest.mark.usefixtures("pulumi")
def test_the_stack_is_destroyed_after_a_failure_and_the_rest_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = [step("up", fails), step("train", fails), step("destroy", lambda: "3 resources deleted", always=True)]
    run(tmp_path, monkeypatch, *steps, expect=1)
    (written,) = tmp_path.glob("dev-*.md")
    assert "| up | failed | 0 s | the endpoint is gone |" in written.read_text()
    assert "| train | skipped |" in written.read_text()
    assert "| destroy | passed | 0 s | 3 resources deleted |" in written.read_text()


def test_a_new_stack_is_removed_at_the_end(
    pulumi: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, monkeypatch, step("destroy", lambda: "all", always=True), expect=0)
    assert ("stack", "init", "--no-select") in pulumi["ran"]
    assert ("stack", "rm", "--yes") in pulumi["ran"]


def test_a_deployed_stack_is_left_alone(
    pulumi: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulumi["stacks"] = ["dev"]
    pulumi["resources"] = [{"urn": "urn::x", "type": "azure-native:x:Y", "custom": True}]
    told = run(tmp_path, monkeypatch, step("up", fails), expect=1)
    assert "would destroy them" in told
    assert "copy Pulumi.dev.yaml to Pulumi.acceptance.yaml" in told
    assert list(tmp_path.glob("*.md")) == []
