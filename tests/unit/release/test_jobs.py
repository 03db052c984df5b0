"""The commands that list, show, compare and follow jobs, on a workspace of fakes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from pulumi_azureml.operations import Logged, Point, Run
from release import cli
from release.jobs import command, logs, records

OUTPUTS = SimpleNamespace(workspace_id="/w")


def job(name: str, status: str = "Completed", **properties: Any) -> dict[str, Any]:
    services = {"Tracking": {"endpoint": "azureml://w"}, "Studio": {"endpoint": f"https://ml.azure.com/runs/{name}"}}
    default = {"status": status, "jobType": "Pipeline", "services": services, "displayName": name}
    created = {"createdAt": f"2026-11-28T10:00:0{len(name)}.1234567Z", "createdBy": "anna"}
    return {"name": name, "systemData": created, "properties": {**default, **properties}}


def run(name: str, status: str = "Completed", **values: Any) -> Run:
    times = {"created": None, "started": "2026-11-28T10:00:00+00:00", "ended": "2026-11-28T10:02:05.5+00:00"}
    return Run(**{"id": f"id-{name}", "name": name, "status": status, **times, **values})


class FakeRuns:
    """Runs of the workspace. `states` are what a job's steps are at each look, `text` is what each step logged."""

    steps: dict[str, list[Run]]
    logged_by: dict[str, Logged]
    points: list[Point]
    states: list[tuple[str, str]]

    def __init__(self, _tracking: str) -> None: ...

    def get(self, name: str) -> Run:
        status = self.states[0][0] if self.states else "Completed"
        return run(name, status, id=name)

    def children(self, name: str) -> list[Run]:
        return self.steps.get(name, [])

    def logged(self, name: str) -> Logged:
        return self.logged_by.get(name, Logged({}, {}))

    def history(self, name: str, metric: str) -> list[Point]:
        assert (name, metric) == ("id-train", "auc")
        return self.points

    def logs(self, name: str) -> dict[str, str]:
        return {"std_log.txt": name}


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> type[FakeRuns]:
    """Let the workspace have the jobs that `here` lists, and let the stack be deployed."""

    class Runs(FakeRuns):
        steps: dict[str, list[Run]] = {}  # noqa: RUF012 - each test has its own class
        logged_by: dict[str, Logged] = {}  # noqa: RUF012
        points: list[Point] = []  # noqa: RUF012
        states: list[tuple[str, str]] = []  # noqa: RUF012

    monkeypatch.setattr(records, "Runs", Runs)
    monkeypatch.setattr(command, "PulumiStack", lambda _name: SimpleNamespace(deployed=lambda: OUTPUTS))
    return Runs


def here(monkeypatch: pytest.MonkeyPatch, *jobs: dict[str, Any]) -> None:
    by_name = {f"/w/jobs/{each['name']}": each for each in jobs}
    monkeypatch.setattr(records, "pages", lambda *_: iter(jobs))
    monkeypatch.setattr(records, "send", lambda _method, path, _version: by_name[path])


def printed(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(cli.main, [*arguments, "-s", "dev"])
    assert done.exit_code == code, done.output
    return done.stdout if code == 0 else done.stderr


def names(text: str) -> list[str]:
    return [each["job"] for each in json.loads(text)]


def test_jobs_are_listed_newest_first_and_selected_by_pipeline_and_status(
    runs: type[FakeRuns], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = job("ccc", "Failed", tags={"pipeline": "training"}, experimentName="flights")
    scheduled = job("bb", "Completed", displayName="Training")
    here(monkeypatch, ours, scheduled, job("a", "Running", experimentName="other"), {"name": "x", "properties": None})
    assert names(printed("jobs", "--output", "json")) == ["ccc", "bb", "a"]
    assert names(printed("jobs", "--output", "json", "--limit", "1")) == ["ccc"]
    assert names(printed("jobs", "--output", "json", "--pipeline", "training")) == ["ccc", "bb"]
    assert names(printed("jobs", "--output", "json", "--status", "failed", "--status", "Running")) == ["ccc", "a"]
    assert printed("jobs").splitlines()[1].split("  ")[:2] == ["ccc", "training"]
    assert "2:06 min" in printed("jobs")
    assert printed("jobs", "--pipeline", "lost") == "There are no such jobs.\n"


def test_a_step_is_no_job(runs: type[FakeRuns], monkeypatch: pytest.MonkeyPatch) -> None:
    here(monkeypatch, {"name": "a", "properties": None})
    assert "'a' is a step of a pipeline job\n  fix: use a name that `release jobs -s dev`" in printed(
        "show", "a", code=1
    )


def test_a_job_is_shown_with_its_steps_inputs_and_commit(runs: type[FakeRuns], monkeypatch: pytest.MonkeyPatch) -> None:
    component = "/subscriptions/s/workspaces/w/components/train/versions/0a1b"
    given = {
        "zip": {"jobInputType": "literal", "value": "0123"},
        "days": {"jobInputType": "uri_file", "uri": "azureml:days:3"},
    }
    body = job(
        "a",
        jobs={"train": {"componentId": component}},
        inputs=given,
        outputs={"model": {}, "default": {}},
        properties={"azureml.git.commit": "9a736ad"},
    )
    runs.steps = {"a": [run("train", "Failed", error="no node"), run("prep", started="2026-11-28T09:59:00+00:00")]}
    here(monkeypatch, body)
    shown = json.loads(printed("show", "a", "--output", "json"))
    assert [(step["step"], step["component"]) for step in shown["steps"]] == [("prep", None), ("train", "train:0a1b")]
    assert shown["inputs"] == {"zip": "0123", "days": "azureml:days:3"}
    assert shown["outputs"] == {"model": "azureml://jobs/a/outputs/model/paths/"}
    assert shown["lineage"] == {"commit": "9a736ad", "model": None}
    text = printed("show", "a")
    assert "train: no node" in text
    assert "2026-11-28 10:00:01 UTC by anna" in text


def measured_jobs(runs: type[FakeRuns], monkeypatch: pytest.MonkeyPatch) -> None:
    literal = {"jobInputType": "literal"}
    here(
        monkeypatch,
        job("a", inputs={"rate": {**literal, "value": "0.1"}, "seed": {**literal, "value": "7"}}),
        job("b", inputs={"rate": {**literal, "value": "0.2"}, "seed": {**literal, "value": "7"}}),
    )
    runs.steps = {"a": [run("train")], "b": [run("train", id="id-b")]}
    runs.logged_by = {
        "id-train": Logged({"depth": "3"}, {"auc": 0.7, "loss": math.nan}),
        "id-b": Logged({"depth": "3"}, {"auc": 0.75, "loss": math.nan, "rows": 5.0}),
    }


def test_what_differs_between_jobs_is_marked(runs: type[FakeRuns], monkeypatch: pytest.MonkeyPatch) -> None:
    measured_jobs(runs, monkeypatch)
    found = json.loads(printed("compare", "a", "b", "--output", "json"), parse_constant=pytest.fail)
    assert found["parameters"] == {
        "rate": {"values": ["0.1", "0.2"], "differs": True},
        "seed": {"values": ["7", "7"], "differs": False},
        "train.depth": {"values": ["3", "3"], "differs": False},
    }
    assert found["metrics"] == {
        "train.auc": {"values": [0.7, 0.75], "differs": True},
        "train.loss": {"values": [None, None], "differs": False},
        "train.rows": {"values": [None, 5.0], "differs": True},
    }
    rows = [line.split() for line in printed("compare", "a", "b").splitlines()]
    for row in (
        ["≠", "rate", "0.1", "0.2"], ["seed", "7", "7"], ["≠", "train.auc", "0.7000", "0.7500"],
        ["train.loss", "NaN", "NaN"], ["≠", "train.rows", "-", "5"],
    ):  # fmt: skip
        assert row in rows
    assert "there is nothing to compare" in printed("compare", "a", "a", code=1)


def test_a_metric_has_its_history(runs: type[FakeRuns], monkeypatch: pytest.MonkeyPatch) -> None:
    measured_jobs(runs, monkeypatch)
    runs.points = [Point(0, 0, 0.5), Point(1, 1500, math.nan)]
    history = json.loads(printed("metrics", "a", "train.auc", "--output", "json"), parse_constant=pytest.fail)
    assert [each["value"] for each in history["history"]] == [0.5, None]
    assert history["history"][1]["time"].startswith("1970-01-01T00:00:01.5")
    assert "job a has no metric 'auc'; it has: train.auc, train.loss" in printed("metrics", "a", "auc", code=1)
    runs.logged_by = {}
    assert printed("metrics", "a") == "Job a logged no metrics with MLflow.\n"


def follow(
    runs: type[FakeRuns],
    monkeypatch: pytest.MonkeyPatch,
    states: Iterable[tuple[str, str]],
    *options: str,
    code: int = 0,
) -> str:
    """Follow a job of the steps `train` and `next`. A state is the job's status, and what `train` has logged then."""
    here(monkeypatch, job("a"))
    runs.states = list(states)
    runs.steps = {"a": [run("train", "Running"), run("next", "NotStarted", started=None)]}
    monkeypatch.setattr(logs, "tail", lambda _url, offset: runs.states[0][1].encode()[offset:])

    def wait(_seconds: float) -> None:
        runs.states.pop(0)
        if not runs.states:
            raise KeyboardInterrupt

    monkeypatch.setattr(logs.time, "sleep", wait)
    return printed("logs", "a", "--follow", *options, code=code)


def test_each_line_of_a_followed_log_is_printed_once(runs: type[FakeRuns], monkeypatch: pytest.MonkeyPatch) -> None:
    states = [("Running", ""), ("Running", "one\n"), ("Running", "one\ntwö"), ("Failed", "one\ntwö\nthree\n")]
    assert follow(runs, monkeypatch, states) == "==> train (Running)\none\ntwö\nthree\n"


def test_an_interrupted_log_says_that_the_job_continues(runs: type[FakeRuns], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "stopped reading. Job a continues" in follow(runs, monkeypatch, [("Running", "one\n")], code=1)


def test_an_unknown_step_is_refused_with_the_steps(runs: type[FakeRuns], monkeypatch: pytest.MonkeyPatch) -> None:
    text = follow(runs, monkeypatch, [("Running", "")], "--step", "prep", code=1)
    assert "job a has no step 'prep'; steps: train, next" in text


def test_a_step_that_failed_without_a_log_has_azures_reason(
    runs: type[FakeRuns], monkeypatch: pytest.MonkeyPatch
) -> None:
    here(monkeypatch, job("a", "Failed"))
    runs.steps = {"a": [run("prep", "Failed", error="the image cannot be pulled")]}
    monkeypatch.setattr(logs, "tail", lambda _url, _offset: b"")
    assert printed("logs", "a") == "==> prep (Failed)\nthe image cannot be pulled\n"


@pytest.mark.parametrize(
    ("step", "shown"),
    [
        (None, ["features/clean", "features/join/left", "train"]),
        ("features", ["features/clean", "features/join/left"]),
        ("features/join/left", ["features/join/left"]),
        ("left", ["features/join/left"]),
        ("id-clean", ["features/clean"]),
    ],
)
def test_steps_of_a_pipeline_in_the_pipeline_have_paths(
    runs: type[FakeRuns], monkeypatch: pytest.MonkeyPatch, step: str | None, shown: list[str]
) -> None:
    here(monkeypatch, job("a"))
    runs.steps = {
        "a": [run("train", started="2026-11-28T11:00:00+00:00"), run("features")],
        "id-features": [run("clean"), run("join")],
        "id-join": [run("left")],
    }
    monkeypatch.setattr(logs, "tail", lambda url, offset: f"{url} speaks\n".encode()[offset:])
    found = printed("logs", "a", *(("--step", step) if step else ()))
    assert re.findall(r"^==> (.+) \(Completed\)$", found, re.MULTILINE) == shown
    assert found.count(" speaks\n") == len(shown)
