"""The compiled pipeline as a resource: its images, the checks of a preview, and runs of a version that has changed."""

from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pulumi
import pytest
import runs
import submission
import yaml
from click.testing import CliRunner
from declared_runs import RunProvider
from deployed import Deployed
from pipeline_runner import document
from pipeline_runner.errors import RunnerError
from pipeline_runner.records import RunRecord, TaskRecord
from pulumi.runtime.rpc import UNKNOWN
from stored import documents
from stored.documents import DocumentError
from stored.pipelines import check, filled
from stored.provider import DocumentProvider
from stored.settings import DeclaredRun, RecurringRun
from submission import Submission, Target

from tests.unit.examples.tacos_burritos.conftest import compiled

URL = "https://account.blob.core.windows.net/kubeflow/pipelines/sample/1.yaml"
MOUNTING = {"exec-bake": {"pvcMount": [{"constant": "pantry", "mountPath": "/mnt/azure"}]}}
SALSA = {"salsa": {"parameterType": "NUMBER_INTEGER", "isOptional": True, "defaultValue": 1}}


@pytest.fixture
def blobs(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Replace the storage account by a dictionary of documents by their addresses."""
    found: dict[str, str] = {}
    monkeypatch.setattr(documents, "read", found.get)
    monkeypatch.setattr(documents, "write", found.__setitem__)
    monkeypatch.setattr(documents, "below", lambda address: [each for each in found if each.startswith(address)])
    monkeypatch.setattr(documents, "remove", lambda address: found.pop(address, None))
    return found


@pytest.fixture
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a compiled pipeline as the repository's file."""
    file = tmp_path / "compiled.yaml"
    file.write_text(compiled({"bake": {"args": []}, "eat": {"args": []}}))
    monkeypatch.setattr(submission, "COMPILED", file)
    return file


def deployed(version: str) -> Submission:
    return Submission(Target(**target(version)))


def target(version: str) -> dict[str, str]:
    known = {"stack": "dev", "pipeline_url": URL, "pipeline_version": version}
    return {field.name: known.get(field.name, field.name) for field in fields(Target)}


def test_images_replace_the_placeholders_of_steps_that_have_one(template: Path) -> None:
    text = filled(template.read_text(), {"bake": "cr.azurecr.io/environments/bake:1@sha256:a"})
    images = {task.name: task.executor.image for task in document.read(text).tasks}
    assert images == {"bake": "cr.azurecr.io/environments/bake:1@sha256:a", "eat": "image://eat"}
    assert document.version_of(text) != document.version_of(filled(template.read_text(), {}))


def test_a_preview_refuses_a_claim_that_the_cluster_does_not_have() -> None:
    text = compiled({"bake": {"args": []}}, kubernetes=MOUNTING)
    assert check(text, ["pantry"], {}).name == "sample"
    with pytest.raises(pulumi.RunError, match="the claim 'pantry', which the cluster does not have; it has: disk"):
        check(text, ["disk"], {})


def test_a_preview_refuses_a_run_that_does_not_fit_the_pipeline() -> None:
    text = compiled({"bake": {"args": []}}, SALSA)
    check(text, [], {"recurringRuns": [RecurringRun(name="weekly", cron="0 6 * * 1", parameters={"salsa": 2})]})
    wrong = RecurringRun(name="daily", cron="0 6 * * *", parameters={"salsa": "hot"})
    with pytest.raises(pulumi.RunError, match=r"recurringRuns\[0\]\.parameters: (?s:.*)salsa: 'hot' is not a NUMBER"):
        check(text, [], {"recurringRuns": [wrong]})
    with pytest.raises(pulumi.RunError, match=r"runs\[0\]\.parameters: (?s:.*)salsa: 'mild' is not a NUMBER"):
        check(text, [], {"runs": [DeclaredRun(name="first", parameters={"salsa": "mild"})]})


@pytest.mark.parametrize("cron", ["daily", "0 6 * *", "61 6 * * *"])
def test_a_wrong_cron_expression_is_refused(cron: str) -> None:
    with pytest.raises(ValueError, match="is not a cron expression of five fields"):
        RecurringRun(name="weekly", cron=cron)


def test_the_document_is_written_read_and_deleted(blobs: dict[str, str]) -> None:
    provider = DocumentProvider()
    props = {"account": "account", "path": "pipelines/sample/1.yaml", "content": "one"}
    created = provider.create(props)
    assert (created.id, created.outs["url"], blobs[URL]) == (URL, URL, "one")
    assert provider.diff(URL, props, {**props, "content": "two"}).changes
    assert provider.diff(URL, props, {**props, "path": "other"}).replaces == ["path"]
    assert not provider.diff(URL, props, props).changes
    provider.update(URL, props, {**props, "content": "two"})
    assert provider.read(URL, props).outs["content"] == "two"
    provider.delete(URL, props)
    assert provider.read(URL, props).id == ""


def test_a_run_takes_the_version_that_the_stack_manages(template: Path, blobs: dict[str, str]) -> None:
    blobs[URL] = filled(template.read_text(), {"bake": "cr/bake@sha256:a"})
    assert deployed(document.version_of(blobs[URL])).compiled().tasks[0].executor.image == "cr/bake@sha256:a"


def test_a_compiled_pipeline_that_changed_after_the_update_does_not_run(template: Path, blobs: dict[str, str]) -> None:
    blobs[URL] = filled(template.read_text(), {})
    version = document.version_of(blobs[URL])
    template.write_text(compiled({"bake": {"args": ["--hotter"]}, "eat": {"args": []}}))
    with pytest.raises(RunnerError, match=r"compiled\.yaml has changed since .*\n      fix: release up --stack dev"):
        deployed(version).compiled()


def test_a_stored_pipeline_that_somebody_changed_or_deleted_does_not_run(template: Path, blobs: dict[str, str]) -> None:
    blobs[URL] = filled(template.read_text(), {"bake": "another/image"})
    with pytest.raises(RunnerError, match="was changed: it has not version 123"):
        deployed("123").compiled()
    del blobs[URL]
    with pytest.raises(RunnerError, match="is gone"):
        deployed("123").compiled()


def test_runs_are_kept_in_the_stack_the_latest_first(blobs: dict[str, str]) -> None:
    for hour in (10, 12, 11):
        started = f"2026-11-30T{hour}:00:00+00:00"
        deployed("1").keep(RunRecord(f"run-{hour}", "sample", "1", "containers", started, {}, [TaskRecord("bake")]))
    assert [run.id for run in deployed("1").runs()] == ["run-12", "run-11", "run-10"]
    blobs["https://account.blob.core.windows.net/kubeflow/runs/other.json"] = "{}"
    with pytest.raises(RunnerError, match="is not the record of a run"):
        deployed("1").runs()


def test_a_recurring_run_is_due_when_a_time_has_passed_since_the_last_run() -> None:
    now = datetime(2026, 11, 30, 7, tzinfo=UTC)  # a Monday
    assert runs.is_due("0 6 * * 1", None, now)
    assert runs.is_due("0 6 * * 1", "2026-11-29T10:00:00+00:00", now)
    assert not runs.is_due("0 6 * * 1", "2026-11-30T06:30:00+00:00", now)


def test_a_declared_run_runs_once_for_each_content(blobs: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[Any, str]] = []

    def run(submission: Submission, given: Any, engine: str, observer: Any, cause: str) -> RunRecord:
        started.append((given, engine))
        number = len(started)
        record = RunRecord(
            f"run-{number}", "sample", "1", engine, f"2026-11-30T1{number}:00:00", given, [], cause=cause
        )
        observer.ended(record)
        return record

    monkeypatch.setattr(Submission, "run", run)
    provider = RunProvider()
    props = {"name": "first", "parameters": {"salsa": 1}, "engine": "auto", "target": target("1")}
    created = provider.create(props)
    assert (created.id, created.outs["run"]) == ("first", "run-1")
    moved = {**props, "target": {**target("1"), "folder": "elsewhere", "login_server": "other"}}
    assert not provider.diff("first", created.outs, moved).changes
    hotter = {**props, "parameters": {"salsa": 2}}
    for changed in (
        hotter,
        {**props, "engine": "jobs"},
        {**props, "target": target("2")},
        {**props, "target": UNKNOWN},
    ):
        assert provider.diff("first", created.outs, changed).changes
    assert provider.update("first", created.outs, hotter).outs["run"] == "run-2"
    assert started == [({"salsa": 1}, "auto"), ({"salsa": 2}, "auto")]
    deployed("1").keep(replace(deployed("1").runs()[0], id="by-hand", cause=""))
    assert provider.read("first", {**props, "run": "run-2"}).id == "first"
    assert provider.read("first", {**props, "run": "gone"}).id == ""
    provider.delete("first", {**props, "run": "run-2"})
    assert [run.id for run in deployed("1").runs()] == ["by-hand"]


def test_a_recurring_run_that_fails_does_not_hold_back_the_others(
    blobs: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"cron": "0 6 * * 1", "enabled": True, "parameters": {}}
    names = ("a-fails", "b-works", "c-off")
    for name in names:
        blobs[name] = yaml.safe_dump({"name": name, **settings, "enabled": name != "c-off"})
    outputs: Any = None
    stack = Deployed(outputs, deployed("1"), {name: name for name in names})
    monkeypatch.setattr(Deployed, "read", lambda _name: stack)
    started: list[str] = []

    def run(_submission: Submission, _given: Any, _engine: str, _observer: Any, cause: str) -> None:
        started.append(cause)
        if cause == "a-fails":
            raise RunnerError("the step bake failed")

    monkeypatch.setattr(Submission, "run", run)
    result = CliRunner().invoke(runs.main, ["due", "-s", "dev"])
    assert started == ["a-fails", "b-works"]
    assert "the step bake failed" in result.output
    assert "c-off is disabled" in result.output
    assert "b-works: next at 20" in result.output
    assert result.exit_code == 1


@pytest.mark.attack
@pytest.mark.parametrize(
    "address", ["https://example.org/kubeflow/a", "https://a.blob.core.windows.net@example.org/b/c"]
)
def test_an_address_in_the_state_gets_no_token(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(documents, "credential", lambda: asked.append(address))
    provider = DocumentProvider()
    for reach in (
        lambda: provider.delete(address, {}),
        lambda: provider.read(address, {}),
        lambda: provider.update(address, {}, {"content": "c"}),
        lambda: documents.below(address),
    ):
        with pytest.raises(DocumentError, match=r"nothing is sent to example\.org"):
            reach()
    assert asked == []
