"""`release gate` by a fake workspace: what it prints, what it downloads, and which decisions it refuses."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from infra.outputs import versions
from ml.gate.src.rules import Rules
from pulumi_azureml.planning import CatalogueSettings, load_catalogue
from release import documentation
from release.cli import main
from release.errors import ReleaseError
from release.gate import command
from release.gate.decision import CheckedRule, Decision, parse
from release.gate.views import markdown
from release.jobs import planning
from tests.unit.infra.test_gates import FILES
from tests.unit.release.examined import ROOT
from tests.unit.release.test_training import stack_outputs

CHECK = {
    "metric": "roc_auc",
    "slice": None,
    "direction": "higher",
    "value": 0.6997,
    "threshold": 0.65,
    "champion": 0.6901,
    "margin": 0.001,
    "passed": True,
    "why": "roc_auc 0.6997 reaches the minimum 0.6500",
    "rows": 53991,
}
REFUSED = CHECK | {"slice": "origin=LGA", "value": None, "margin": None, "passed": False, "why": "no value"}
DECISION: dict[str, Any] = {
    "decision_version": 1,
    "deploy_flag": 1,
    "reason": "roc_auc 0.6997 reaches the minimum 0.6500",
    "model": "flight-delay",
    "metrics": {"roc_auc": 0.6997, "odd": None},
    "checks": [CHECK],
    "champion": {"version": "3", "problem": "", "metrics": {"roc_auc": 0.6901}},
    "slices": [],
    "report": "report.html",
}
STUDIO = "https://ml.azure.com/runs/job-1"


class FakeJobs:
    """One pipeline job with a decision and its report."""

    def __init__(self) -> None:
        self.status = "Completed"
        self.decision: dict[str, Any] | None = DECISION

    def download(self, name: str, download_path: str, output_name: str) -> None:
        assert (name, output_name) == ("job-1", "decision")
        folder = Path(download_path) / "named-outputs" / "decision"
        folder.mkdir(parents=True)
        if self.decision is not None:
            (folder / "decision.json").write_text(json.dumps(self.decision))
        (folder / "report.html").write_text("<!doctype html>")
        (folder / "roc.png").write_bytes(b"\x89PNG")


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> FakeJobs:
    fake = FakeJobs()
    monkeypatch.setattr(command, "PulumiStack", lambda _: SimpleNamespace(deployed=lambda: None))
    monkeypatch.setattr(command, "find", lambda *_: SimpleNamespace(status=fake.status, studio_url=STUDIO))
    monkeypatch.setattr(command, "client", lambda _: SimpleNamespace(jobs=fake))
    return fake


def gate(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["gate", "job-1", "-s", "dev", *arguments])


def test_accepted_model_is_a_table_and_exit_code_0(jobs: FakeJobs) -> None:
    done = gate()
    assert done.exit_code == 0
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert lines[:2] == ["flight-delay: accepted", DECISION["reason"]]
    assert lines[3:5] == [
        "result  metric   slice   value  threshold  registered  margin",
        "passed  roc_auc  all    0.6997     0.6500      0.6901  0.0010",
    ]
    assert lines[-1] == f"run: {STUDIO}"


def test_refused_model_is_exit_code_1(jobs: FakeJobs) -> None:
    jobs.decision = DECISION | {"deploy_flag": 0, "reason": "origin=LGA: no value", "checks": [CHECK, REFUSED]}
    done = gate()
    assert done.exit_code == 1
    assert "flight-delay: refused\norigin=LGA: no value" in done.stdout
    assert "refused  roc_auc  origin=LGA" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(("trained", "code"), [(True, 1), (False, 0)])
def test_the_job_comes_from_the_file_of_a_training(
    jobs: FakeJobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained: bool, code: int
) -> None:
    """A run that trained nothing does not fail for the decision of an earlier one."""
    jobs.decision = {**DECISION, "deploy_flag": 0, "reason": "roc_auc is too low"}
    file, page = tmp_path / "training.json", tmp_path / "summary.md"
    file.write_text(json.dumps({"job": "job-1", "trained": trained}))
    for name, value in {"GITHUB_ACTIONS": "1", "GITHUB_REPOSITORY": "o/n", "GITHUB_STEP_SUMMARY": str(page)}.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(main, ["gate", "-s", "dev", "--training", str(file), "--summary"])
    assert done.exit_code == code
    assert "roc_auc is too low" in done.output
    assert ("Not a new decision: job job-1 ran before" in done.stderr) is not trained
    assert STUDIO in page.read_text("utf-8")


def test_a_summary_needs_a_ci_job(jobs: FakeJobs) -> None:
    done = gate("--summary")
    assert done.exit_code == 1
    assert "there is no summary: this is not a job of GitHub Actions or Azure Pipelines" in done.output
    assert "fix: omit --summary outside a CI job" in done.output


def test_a_job_or_the_file_of_a_training_is_named(tmp_path: Path) -> None:
    assert "name a job, or use --training FILE" in CliRunner().invoke(main, ["gate", "-s", "dev"]).output
    file = tmp_path / "training.json"
    file.write_text("[]")
    done = CliRunner().invoke(main, ["gate", "-s", "dev", "--training", str(file)])
    assert (
        done.output
        == f"Error: {file} does not describe a training\n  fix: write it with `release train --output-file {file}`\n"
    )


def test_json_is_the_decision_and_nothing_else(jobs: FakeJobs) -> None:
    assert json.loads(gate("--output", "json").stdout) == DECISION


def test_report_is_downloaded_with_its_figures(jobs: FakeJobs, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "report"
    done = gate("--report", str(folder))
    assert {path.name for path in folder.iterdir()} == {"decision.json", "report.html", "roc.png"}
    assert str(folder / "report.html") in done.stdout
    assert gate("--report", str(folder), "--output", "json").stdout.startswith("{")


def test_report_is_downloaded_from_a_temporary_folder_on_another_file_system(
    jobs: FakeJobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: Any, _target: Any) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link", str(source))

    monkeypatch.setattr(os, "rename", refuse)
    monkeypatch.setattr(os, "replace", refuse)
    assert gate("--report", str(tmp_path)).exit_code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"decision.json", "report.html", "roc.png"}


def test_markdown_shows_failed_checks_first_and_names_as_they_are(jobs: FakeJobs) -> None:
    jobs.decision = DECISION | {"deploy_flag": 0, "reason": "a | b <i>", "checks": [CHECK, REFUSED]}
    text = gate("--output", "markdown").stdout
    assert text.startswith("**Gate: `flight-delay` refused")
    assert "a &#124; b &#60;i&#62;" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert rows[1].startswith("| refused | `roc_auc` | `origin=LGA` | ")
    assert f"[Report]({STUDIO})" in text


def test_markdown_stays_short() -> None:
    checks = [CheckedRule.model_validate(CHECK | {"slice": f"carrier={number}"}) for number in range(100)]
    text = markdown(Decision.model_validate(DECISION).model_copy(update={"checks": checks}), None)
    assert "| … 70 more |" in text
    assert "Report" not in text


@pytest.mark.attack
@pytest.mark.parametrize("address", ["https://ml.azure.com/a) @contoso [b](https://example.org", "javascript:alert(1)"])
def test_the_address_of_a_report_is_a_link_and_no_more(address: str) -> None:
    line = markdown(Decision.model_validate(DECISION), address).splitlines()[-1]
    assert line.startswith("[Report](")
    assert line.count("(") == line.count(")") == 1
    assert " " not in line
    assert "javascript" not in line


@pytest.mark.parametrize(
    ("status", "fix"), [("Failed", "release logs job-1 -s dev"), ("Running", "wait until it ends")]
)
def test_job_that_did_not_complete_has_no_decision(jobs: FakeJobs, status: str, fix: str) -> None:
    jobs.status = status
    done = gate()
    assert done.exit_code == 1
    assert f"job job-1 has no decision: its status is {status}\n  fix: {fix}" in done.stderr


def test_pipeline_without_a_gate_is_named(jobs: FakeJobs) -> None:
    jobs.decision = None
    assert "job job-1 completed without decision/decision.json\n  fix: add the output `decision`" in gate().stderr


@pytest.mark.parametrize("version", [2, "1", None])
def test_decision_of_an_unknown_version_is_refused(version: Any) -> None:
    with pytest.raises(ReleaseError, match=r"has decision_version .*, and this release reads 1\n  fix: use the gate"):
        parse(DECISION | {"decision_version": version}, "job-1")


@pytest.mark.parametrize(
    ("change", "where"),
    [({"deploy_flag": 2}, "deploy_flag"), ({"checks": [{}]}, "checks.0.metric"), ({"extra": 1}, "extra")],
)
def test_decision_of_another_form_is_refused(change: dict[str, Any], where: str) -> None:
    with pytest.raises(
        ReleaseError, match=f"is not valid: {where}: .*\n  fix: write it as docs/gate-decision.schema.json"
    ):
        parse(DECISION | change, "job-1")


def test_schemas_are_current() -> None:
    for file, text in (
        ("gate-decision.schema.json", documentation.decision_schema()),
        ("gate.schema.json", documentation.rules_schema()),
    ):
        assert (ROOT / "docs" / file).read_text("utf-8") == text, "run `python -m release.documentation`"
    assert [name for name, field in Rules.model_fields.items() if not field.description] == []


def test_overrides_that_do_not_fit_stop_a_training_before_it_is_submitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.setattr(planning, "program_folder", lambda: tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    settings = CatalogueSettings(frozenset(), cache_folder=None, check_with_azure=False)
    deployed = stack_outputs(assets=versions(load_catalogue(tmp_path, settings)))
    with pytest.raises(
        ReleaseError, match=r"pipeline 'training': step 'decide': override 'auc.minimum=1': no rule for"
    ):
        planning.plan_pipeline(deployed, "training", {"gate_overrides": "auc.minimum=1"})
    planned = planning.plan_pipeline(deployed, "training", {"gate_overrides": "roc_auc.minimum=1"})
    assert planned.asset.definition["inputs"]["gate_overrides"] == "roc_auc.minimum=1"
