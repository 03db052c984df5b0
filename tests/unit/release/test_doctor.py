"""`release doctor` as a whole: which checks run, what they print, and what stops a first update."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError
from click.testing import CliRunner

from infra import availability
from infra.availability import Answers
from infra.plan import PlanError
from infra.settings.configuration import ConfigurationError
from release import documentation
from release.cli import main
from release.doctor import command, examination
from release.doctor.findings import Finding, Level, Report, problem, warning
from release.doctor.subject import Account, Subject
from release.errors import ReleaseError
from release.terminal.console import new_console
from tests.unit.release.examined import ROOT, SUBSCRIPTION, FakeSubject


@pytest.fixture
def subject(tmp_path: Path) -> FakeSubject:
    return FakeSubject(tmp_path)


@pytest.fixture(autouse=True)
def examined(monkeypatch: pytest.MonkeyPatch, subject: FakeSubject) -> None:
    subject.environment = {"PULUMI_CONFIG_PASSPHRASE": "x"}
    monkeypatch.setattr(examination, "Subject", lambda *_: subject)
    monkeypatch.setattr(availability, "ask", lambda _: Answers())

    others = subprocess.run

    def run(arguments: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        if arguments[0] != "pulumi":  # azure-identity asks for the processor when it is imported
            return others(arguments, **options)
        out = {"whoami": json.dumps({"url": "azblob://state"}), "version": dict(subject.pins())["pulumi"]}
        return subprocess.CompletedProcess(arguments, 0, out[arguments[1]], "")

    monkeypatch.setattr(subprocess, "run", run)


def _report(subject: FakeSubject) -> Report:
    return examination.examine("test", subject.root, subject.folder)


def test_every_check_has_a_finding(subject: FakeSubject) -> None:
    report = _report(subject)
    titles = {"Configuration", "Sign-in", *(check.title for check in examination.CHECKS)}
    assert {finding.check for finding in report.findings} == titles
    assert not report.failed


def test_what_needs_azure_is_skipped_without_a_sign_in(subject: FakeSubject) -> None:
    subject.account = Account("another", "object", "client", "somebody")
    levels = {finding.check: finding.level for finding in _report(subject).findings}
    skipped = {title for title, level in levels.items() if level is Level.SKIPPED}
    assert skipped == {"Clock", "Providers", "Permissions", "Quota", "Names"}
    assert levels["Images"] is Level.OK


def test_a_broken_stack_file_is_one_problem_and_one_line_of_what_is_skipped(
    subject: FakeSubject, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: object) -> Any:
        raise ReleaseError("Pulumi.test.yaml:3: malformed YAML", "correct the YAML on this line")

    subject.__class__ = type("Broken", (FakeSubject,), {"configuration": property(broken)})
    report = _report(subject)
    report.print(new_console())
    assert report.count(Level.PROBLEM) == 1
    shown = capsys.readouterr().out.splitlines()
    (skipped,) = [line for line in shown if "not checked" in line]
    assert skipped.startswith("  skipped  not checked, because of the problem above: ")
    assert "Pulumi.test.yaml:3" in shown[0]


def test_wrong_settings_are_all_named(subject: FakeSubject) -> None:
    subject.set("naming", postfix="much-too-long")
    subject.set("network", isolation="Perhaps")
    report = _report(subject)
    what = report.findings[0].what
    assert "naming.postfix" in what
    assert "network.isolation" in what
    assert report.failed


@pytest.mark.parametrize("error", [ServiceRequestError("no route to host"), KeyError("vCPUs")])
def test_a_check_that_fails_is_a_finding_and_hides_no_other(error: Exception, subject: FakeSubject) -> None:
    subject.arm.answers["vmSizes"] = error
    report = _report(subject)
    (found,) = [finding for finding in report.findings if finding.check == "Quota"]
    assert (found.level, found.what) == (Level.WARNING, "not checked")
    assert str(error) in found.why
    assert report.count(Level.SKIPPED) == 0


@pytest.fixture
def findings(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """What is found, which a test adds to."""
    found: list[Finding] = []
    monkeypatch.setattr(examination, "examine", lambda stack, *_: Report(stack=stack, findings=found))
    return found


def test_a_warning_is_no_failure(findings: list[Finding]) -> None:
    findings.append(warning("slow", "because", "wait").model_copy(update={"check": "Clock"}))
    result = CliRunner().invoke(main, ["doctor", "-s", "test"])
    assert result.exit_code == 0
    assert "warning  Clock  slow" in result.output
    assert "fix: wait" in result.output
    assert "no problems, 1 warning" in result.output


def test_a_problem_is_a_failure_in_json_too(findings: list[Finding]) -> None:
    findings.append(problem("broken", "because", "mend"))
    result = CliRunner().invoke(main, ["doctor", "-s", "test", "--output", "json"])
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["findings"] == [{"check": "", "level": "problem", "what": "broken", "why": "because", "fix": "mend"}]


def test_the_first_update_stops_at_a_problem(findings: list[Finding], capsys: pytest.CaptureFixture[str]) -> None:
    command.check_first_update("test", new_console())
    findings.append(problem("broken", "because", "mend"))
    with pytest.raises(ReleaseError, match="--no-doctor"):
        command.check_first_update("test", new_console())
    assert "fix: mend" in capsys.readouterr().out


def test_the_schema_is_current() -> None:
    text = (ROOT / "docs" / "doctor.schema.json").read_text("utf-8")
    assert text == documentation.doctor_schema(), "run `python -m release.documentation`"
    assert set(json.loads(text)["$defs"]["Level"]["enum"]) == set(Level)


def test_a_date_without_quotes_in_the_stack_file_is_a_problem_and_no_traceback(tmp_path: Path) -> None:
    text = (ROOT / "Pulumi.dev.yaml").read_text("utf-8")
    day = "azureml-platform:overrides:\n    pipelines:\n      training: {inputs: {holdout_start: 2013-10-01}}\n"
    text = text.replace("00000000-0000-0000-0000-000000000000", SUBSCRIPTION)
    (tmp_path / "Pulumi.dev.yaml").write_text(text.replace("azureml-platform:overrides:\n", day))
    with pytest.raises(PlanError, match=r"takes text but gets the time '2013-10-01 00:00:00 \+0000 UTC'"):
        assert Subject("dev", ROOT, tmp_path, {}).catalogue


def test_an_encrypted_webhook_is_no_problem_before_the_first_update(subject: FakeSubject) -> None:
    subject.set("monitoring", webhooks={"chat": {"secure": "v1:AAAA:BBBB"}}, emails=[{"secure": "v1:CCCC:DDDD"}])
    assert subject.configuration.settings.monitoring.webhooks == {}
    subject.document["config"]["azureml-platform:monitoring"] = {"secure": "v1:AAAA:BBBB"}
    del subject.configuration
    assert subject.configuration.settings.monitoring.emails == []


@pytest.mark.attack
def test_an_encrypted_value_that_azure_would_show_is_a_problem(subject: FakeSubject) -> None:
    subject.set("overrides", endpoints={"flights": {"environmentVariables": {"KEY": {"secure": "v1:AAAA:BBBB"}}}})
    with pytest.raises(ConfigurationError, match="overrides has an encrypted value") as error:
        assert subject.configuration
    assert "v1:" not in str(error.value)
