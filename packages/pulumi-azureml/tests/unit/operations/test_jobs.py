"""Following jobs, their runs in run history and MLflow, and the commit that a job is submitted from."""

from __future__ import annotations

import logging
import math
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError

from pulumi_azureml.operations import jobs, runs
from pulumi_azureml.operations.jobs import EndedJob, JobStep
from pulumi_azureml.operations.runs import Logged, Point, Runs

TRACKING = "azureml://westeurope.api.azureml.ms/mlflow/v1.0/subscriptions/s/workspaces/w?"
BASE = "https://westeurope.api.azureml.ms"


class Service:
    """Run history and MLflow: answers by address, and the queries that it got."""

    def __init__(self, answers: dict[str, list[dict[str, Any]]]) -> None:
        self.answers = answers
        self.queries: list[dict[str, str]] = []

    def get(self, url: str, query: dict[str, str] | None = None) -> dict[str, Any]:
        self.queries.append(dict(query or {}))
        return self.answers[url.removeprefix(BASE)].pop(0)


def served(monkeypatch: pytest.MonkeyPatch, **answers: list[dict[str, Any]]) -> Service:
    paths = {
        "details": "/history/v1.0/subscriptions/s/workspaces/w/runs/job/details",
        "children": "/history/v1.0/subscriptions/s/workspaces/w/runs/job/children",
        "next": "/next",
        "run": "/mlflow/v1.0/subscriptions/s/workspaces/w/api/2.0/mlflow/runs/get",
        "history": "/mlflow/v1.0/subscriptions/s/workspaces/w/api/2.0/mlflow/metrics/get-history",
    }
    service = Service({paths[name]: each for name, each in answers.items()})
    monkeypatch.setattr(runs, "get", service.get)
    return service


def test_steps_are_read_page_by_page_and_a_reused_one_names_the_run_with_its_results(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`azureml.reusedrunid` is the property that azureml-pipeline-core's StepRun reads."""
    first = {"runId": "a", "displayName": "prep", "status": "Completed", "startTimeUtc": "2026-11-28T10:00:00Z"}
    second = {"runId": "b", "name": "train", "status": "Completed", "properties": {"azureml.reusedrunid": "older"}}
    served(monkeypatch, children=[{"value": [first], "nextLink": f"{BASE}/next"}], next=[{"value": [second]}])
    prep, train = Runs(TRACKING).children("job")
    assert (prep.id, prep.name, prep.started, prep.source) == ("a", "prep", "2026-11-28T10:00:00Z", "a")
    assert (train.name, train.source) == ("train", "older")


def test_metrics_that_are_not_finite_are_read_as_mlflow_writes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Protocol buffers write NaN and the infinities as text in JSON."""
    values = [("auc", 0.7), ("loss", "NaN"), ("ratio", "Infinity"), ("none", None)]
    data = {"metrics": [{"key": name, "value": value} for name, value in values], "params": [{"key": "p", "value": 3}]}
    served(monkeypatch, run=[{"run": {"data": data}}, {"run": {}}, {"run": {"data": data}}])
    logged = Runs(TRACKING).logged("job")
    assert logged.parameters == {"p": "3"}
    assert logged.metrics["auc"] == 0.7
    assert math.isnan(logged.metrics["loss"])
    assert math.isnan(logged.metrics["none"])
    assert logged.metrics["ratio"] == math.inf
    assert Runs(TRACKING).logged("job") == Logged({}, {})
    assert jobs.metrics(TRACKING, [("step.", "job")]) == {"step.auc": 0.7}


def test_the_history_of_a_metric_has_every_page_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [{"step": step, "timestamp": str(step), "value": step / 10} for step in (2, 0, 1)]
    service = served(
        monkeypatch, history=[{"metrics": points[:2], "next_page_token": "t"}, {"metrics": points[2:]}, {}]
    )
    assert Runs(TRACKING).history("job", "auc") == [Point(0, 0, 0.0), Point(1, 1, 0.1), Point(2, 2, 0.2)]
    assert [query.get("page_token") for query in service.queries] == [None, "t"]
    assert Runs(TRACKING).history("job", "auc") == []


def test_only_a_jobs_own_logs_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"user_logs/std_log.txt": "https://blob/1", "system_logs/lifecycler.log": "https://blob/2"}
    failed = {"runId": "job", "status": "Failed", "error": {"error": {"message": "no node"}}, "logFiles": files}
    served(monkeypatch, details=[failed, failed])
    assert Runs(TRACKING).logs("job") == {"std_log.txt": "https://blob/1"}
    assert Runs(TRACKING).get("job").error == "no node"


def test_the_failure_of_a_step_in_a_step_is_that_of_the_inner_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipeline component is a step with steps of its own. The outer step has no log."""
    failed = SimpleNamespace(name="r", display_name="arima", status="Failed")
    children = {"outer": [SimpleNamespace(name="p", display_name="prepare", status="Completed"), failed], "r": []}
    ml: Any = SimpleNamespace(jobs=SimpleNamespace(list=lambda parent_job_name: children[parent_job_name]))
    monkeypatch.setattr(jobs, "_reason", lambda _ml, job: f"reason of {job}")
    monkeypatch.setattr(jobs, "job_log", lambda _ml, job, _lines: f"log of {job}")
    ended = EndedJob("Failed", (JobStep("forecasting", "outer", "Failed", 1.0),))
    expected = ": step 'forecasting/arima' failed (reason of r). Last lines of its log:\nlog of r"
    assert jobs.failure_text(ml, ended) == expected


def test_a_step_that_exceeds_its_time_is_named_and_one_that_another_failure_canceled_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ml: Any = SimpleNamespace(jobs=SimpleNamespace(list=lambda parent_job_name: []))
    monkeypatch.setattr(jobs, "_reason", lambda _ml, job: f"reason of {job}")
    monkeypatch.setattr(jobs, "job_log", lambda *_: "")
    late, failed = JobStep("train", "a", "Canceled", 1.0), JobStep("test", "b", "Failed", 1.0)
    assert jobs.failure_text(ml, EndedJob("Failed", (late,))) == ": step 'train' was canceled (reason of a)"
    assert jobs.failure_text(ml, EndedJob("Failed", (late, failed))) == ": step 'test' failed (reason of b)"
    assert jobs.failure_text(ml, EndedJob("Canceled", (late,))) == ""
    assert jobs.failure_text(ml, EndedJob("Failed", (), "c")) == ": reason of c"
    monkeypatch.setattr(jobs, "job_log", lambda *_: "log")
    assert jobs.failure_text(ml, EndedJob("Failed", (), "c")) == ": reason of c. Last lines of its log:\nlog"
    causes = [EndedJob(status, steps).cause for status, steps in (("Failed", (late, failed)), ("Failed", (late,)))]
    assert causes == [failed, late]


def test_the_reason_of_a_cancellation_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    late = {"runId": "job", "status": "Canceled", "cancelationReason": "too late", "error": None}
    served(monkeypatch, details=[late])
    assert Runs(TRACKING).get("job").canceled == "too late"


def test_a_token_that_azure_rejects_in_the_middle_is_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job may run longer than a sign-in lasts, and each rejected token costs one new sign-in."""
    monkeypatch.setattr(jobs.time, "sleep", lambda _seconds: None)
    signed_in: list[str] = []
    statuses = iter(["Running", None, "Running", None, "Completed"])

    def get(_name: str) -> Any:
        status = next(statuses)
        if status is None:
            error = ClientAuthenticationError("401 Unauthorized")
            error.status_code = 401
            raise error
        return SimpleNamespace(status=status)

    def reconnect() -> Any:
        signed_in.append("client")
        return SimpleNamespace(jobs=SimpleNamespace(get=get, list=lambda **_: []))

    ended = jobs.follow_job(reconnect(), "job", lambda _line: None, reconnect=reconnect)
    assert ended.status == "Completed"
    assert len(signed_in) == 6  # the first one, and one for each request


@pytest.mark.parametrize(
    ("fails", "message", "fix"),
    [
        (FileNotFoundError(), "git is not on PATH", "install git"),
        (
            subprocess.CompletedProcess("git", 128, "", "fatal: detected dubious ownership in repository at '/w'\n"),
            "belongs to another user (dubious ownership)",
            "git config --global --add safe.directory ",
        ),
    ],
)
def test_git_that_names_no_commit_says_why(
    fails: Any,
    message: str,
    fix: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def run(*_: Any, **__: Any) -> Any:
        if isinstance(fails, Exception):
            raise fails
        return fails

    monkeypatch.setattr(jobs.subprocess, "run", run)
    with pytest.raises(jobs.GitError) as raised:
        jobs.git_commit(tmp_path)
    assert message in str(raised.value)
    assert raised.value.fix.startswith(fix)
    # An update runs the pipeline all the same.
    caplog.set_level(logging.WARNING)
    assert jobs.with_commit({"inputs": {"git_sha": "x"}}, tmp_path)["inputs"] == {"git_sha": "unknown"}
    assert message in caplog.text


def test_a_tree_outside_of_a_repository_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert jobs.git_commit(tmp_path) == "unknown"
