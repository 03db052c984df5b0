"""Training by a fake workspace: what is watched, what the gate's files say, and what fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from infra.outputs import StackOutputs, parse, versions
from pulumi_azureml.operations import jobs
from pulumi_azureml.planning import CatalogueSettings, load_catalogue
from release.errors import ReleaseError
from release.jobs import planning, watching
from release.terminal.tables import number, to_json
from release.training import outcome

JOB = SimpleNamespace(name="job-1", studio_url="https://ml.azure.com/runs/job-1")
DECISION = {
    "decision_version": 1,
    "deploy_flag": 1,
    "reason": "better by 0.01",
    "model": "flight-delay",
    "metrics": {"auc": 0.71, "rows": 5},
    "checks": [],
    "champion": None,
    "slices": [],
    "report": "report.html",
}


class FakeJobs:
    """A pipeline job with steps that go on at each look, and files for its outputs and logs."""

    def __init__(self, ending: str, steps: dict[str, list[str]], outputs: dict[str, Any]) -> None:
        self.ending = ending
        self.steps = steps
        self.outputs = outputs
        self.looks = 0

    def get(self, _name: str) -> Any:
        self.looks += 1
        longest = max(len(states) for states in self.steps.values())
        return SimpleNamespace(status=self.ending if self.looks >= longest else "Running")

    def list(self, parent_job_name: str) -> list[Any]:
        if parent_job_name != "job-1":
            return []  # a step has no steps
        look = max(self.looks, 1) - 1
        return [
            SimpleNamespace(name=f"id-{name}", display_name=name, status=states[min(look, len(states) - 1)])
            for name, states in self.steps.items()
        ]

    def download(self, name: str, download_path: str, output_name: str | None = None) -> None:
        if output_name is None:
            folder = Path(download_path) / "artifacts" / "user_logs"
            folder.mkdir(parents=True)
            lines = "\n".join(f"line {number} of {name}" for number in range(100))
            (folder / "std_log.txt").write_text(lines)
        elif output_name in self.outputs:
            file, content = self.outputs[output_name]
            folder = Path(download_path) / "named-outputs" / output_name
            folder.mkdir(parents=True)
            (folder / file).write_text(json.dumps(content))


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs.time, "sleep", lambda _seconds: None)


Watch = Callable[..., outcome.Training]


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Return a function that follows the job of a pipeline with a gate to its end, and reads what the gate wrote."""

    def watched(fake: FakeJobs, say: Callable[[str], None] = lambda _line: None) -> outcome.Training:
        ml: Any = SimpleNamespace(jobs=fake)
        monkeypatch.setattr(watching, "client", lambda _outputs: ml)
        return outcome.gated(ml, "training", JOB, watching.watch(stack_outputs(), "dev", "job-1", say))

    return watched


def outputs(registered: bool, version: str | None, reason: str) -> dict[str, Any]:
    registration = {"registered": registered, "name": "flight-delay", "version": version, "reason": reason}
    return {"decision": ("decision.json", DECISION), "registration": ("registration.json", registration)}


def test_an_accepted_model_has_its_version_and_its_metrics(watch: Watch) -> None:
    steps = {"prep": ["Running", "Completed"], "train": ["NotStarted", "Running", "Completed"]}
    said: list[str] = []
    done = watch(FakeJobs("Completed", steps, outputs(True, "3", "better by 0.01")), said.append)
    assert (done.model, done.version, done.reason) == ("flight-delay", "3", "better by 0.01")
    assert done.metrics == {"auc": 0.71, "rows": 5}
    assert [(step.name, step.status) for step in done.steps] == [("prep", "Completed"), ("train", "Completed")]
    assert said[0] == "prep: running"
    assert [line.partition(" after")[0] for line in said[1:]] == [
        "prep: Completed",
        "train: running",
        "train: Completed",
    ]


def test_a_model_below_the_gate_is_no_failure_and_has_no_version(watch: Watch) -> None:
    done = watch(FakeJobs("Completed", {"prep": ["Completed"]}, outputs(False, None, "auc 0.5 is below 0.6")))
    assert (done.registered, done.version, done.reason) == (False, None, "auc 0.5 is below 0.6")


@pytest.mark.parametrize("ending", ["Failed", "Canceled", "NotResponding"])
def test_any_other_end_fails_with_the_failed_steps_last_lines(ending: str, watch: Watch) -> None:
    with pytest.raises(ReleaseError) as raised:
        watch(FakeJobs(ending, {"prep": ["Completed"], "train": ["Failed"]}, {}))
    text = raised.value.message
    assert f"job job-1 ended with status {ending}: step 'train' failed. Last lines of its log:\n" in text
    assert "line 99 of id-train" in text
    assert "line 60 of id-train" in text
    assert "line 59 of id-train" not in text


def test_a_job_that_fails_without_a_step_says_so(watch: Watch) -> None:
    with pytest.raises(ReleaseError, match=r"^job job-1 ended with status Canceled$"):
        watch(FakeJobs("Canceled", {"prep": ["Canceled"]}, {}))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"completed without decision/decision\.json\n  fix: add the output `decision` of"),
        ({"registration": {"registered": True}}, r"registration\.json of job job-1 has no name, reason"),
        ({"registration": {"registered": True, "name": "m", "reason": "r"}}, "is registered, but has no version"),
        ({"registration": {"registered": "false", "name": "m", "reason": "r"}}, "must be true or false, not 'false'"),
        ({"registration": {"registered": True, "name": "m\nCloses #1", "reason": "r"}}, "no model can have the name"),
    ],
)
def test_a_job_without_the_gates_results_is_an_error(files: dict[str, Any], message: str, watch: Watch) -> None:
    written = {name: (f"{name}.json", content) for name, content in files.items()}
    found = {"decision": ("decision.json", DECISION), **written} if files else {}
    with pytest.raises(ReleaseError, match=message):
        watch(FakeJobs("Completed", {"prep": ["Completed"]}, found))


@pytest.mark.attack
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"deploy_flag": 0}, "job job-1 registered model flight-delay, and its gate refused model flight-delay"),
        ({"model": "other"}, "job job-1 registered model flight-delay, and its gate accepted model other"),
    ],
)
def test_no_model_is_promoted_that_its_gate_did_not_accept(changed: dict[str, Any], message: str, watch: Watch) -> None:
    """A pipeline can register a model whatever its gate decides."""
    found = outputs(True, "3", "registered")
    found["decision"] = ("decision.json", DECISION | changed)
    with pytest.raises(ReleaseError, match=message):
        watch(FakeJobs("Completed", {"prep": ["Completed"]}, found))


@pytest.mark.attack
@pytest.mark.parametrize(
    ("tags", "version", "flag", "expected"),
    [
        ({"pipeline_job": "job-1"}, "3", 1, ("flight-delay", "3")),
        ({"pipeline_job": "job-1"}, "4", 1, None),
        ({"pipeline_job": "job-1"}, "3", 0, None),
        ({}, "3", 1, None),
    ],
    ids=["gated", "other version", "refused", "by hand"],
)
def test_an_update_promotes_no_model_that_somebody_registered_by_hand(
    tags: dict[str, str], version: str, flag: int, expected: tuple[str, str] | None
) -> None:
    """`release up` took the latest version, and said that it had passed the gate."""
    found = outputs(True, "3", "registered")
    found["decision"] = ("decision.json", DECISION | {"deploy_flag": flag})
    fake = FakeJobs("Completed", {"prep": ["Completed"]}, found)
    named = SimpleNamespace(get=lambda _name: JOB, download=fake.download)
    models = SimpleNamespace(get=lambda _name, label: SimpleNamespace(version=version, tags=tags))
    ml: Any = SimpleNamespace(jobs=named, models=models)
    assert outcome.registered(ml, {"inputs": {"model_name": "flight-delay"}}) == expected


def test_a_metric_that_was_not_computed_is_shown_and_is_valid_json(watch: Watch) -> None:
    found = outputs(False, None, "auc is NaN")
    found["decision"] = ("decision.json", DECISION | {"metrics": {"auc": None, "rows": 5}})
    done = watch(FakeJobs("Completed", {"prep": ["Completed"]}, found))
    assert [(name, number(value)) for name, value in done.metrics.items()] == [("auc", "NaN"), ("rows", "5")]
    shown = json.loads(to_json(outcome.report(done, [])), parse_constant=pytest.fail)
    assert shown["metrics"] == {"auc": None, "rows": 5}


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyboardInterrupt(), "stopped watching. Job job-1 continues"),
        (HttpResponseError("No route.\nMore"), "cannot watch job job-1, which continues: No route."),
    ],
)
def test_an_end_of_watching_is_no_end_of_the_job(
    error: BaseException, message: str, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(watching, "follow_job", stop)
    with pytest.raises(ReleaseError) as raised:
        watch(FakeJobs("Completed", {"prep": ["Completed"]}, {}))
    assert raised.value.message.splitlines() == [
        message,
        "  follow it: release logs job-1 --follow -s dev",
        "  cancel it: az ml job cancel --name job-1 --workspace-name x --resource-group x",
    ]


def stack_outputs(**values: Any) -> StackOutputs:
    names = ("subscription_id", "resource_group", "workspace", "workspace_id", "container_registry", "login_server")
    empty: dict[str, Any] = {"compute": [], "assets": {}, "schedules": {}, "endpoints": {}, "models": {}}
    return parse(dict.fromkeys(names, "x") | empty | {"outputs_version": 1, **values})


def test_a_pipeline_is_submitted_with_the_stacks_values_and_what_the_stack_leaves_out_is_not_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "pipelines/training.yml": "type: pipeline\ninputs:\n  sample_fraction: 1.0\njobs: {}\n",
        "ml/batch/endpoint.yml": "name: nightly\n",
        "ml/batch/blue-deployment.yml": "name: blue\nendpoint_name: nightly\nmodel: azureml:m:1\n"
        "compute: azureml:of-prod\n",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.setattr(planning, "program_folder", lambda: tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    overrides: dict[str, Any] = {"pipelines": {"training": {"inputs": {"sample_fraction": 0.5}}}}
    with pytest.raises(ReleaseError, match="unknown compute 'of-prod'"):
        planning.plan_pipeline(stack_outputs(overrides=overrides), "training", {})
    overrides["endpoints"] = {"nightly": {"exclude": True}}
    planned = planning.plan_pipeline(stack_outputs(overrides=overrides), "training", {})
    assert planned.asset.definition["inputs"] == {"sample_fraction": 0.5}


def test_a_pipeline_of_shared_components_is_submitted_with_the_registrys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    component = "type: command\nname: prep\ncommand: echo 1\nenvironment: azureml:tools\n"
    files = {
        "ml/shared/tools/environment.yml": "name: tools\nimage: python:3.11\n",
        "ml/shared/prep/component.yml": component,
        "pipelines/training.yml": "type: pipeline\nsettings: {default_compute: serverless}\n"
        "jobs:\n  prep:\n    type: command\n    component: azureml:prep\n",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.setattr(planning, "program_folder", lambda: tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    settings = CatalogueSettings(frozenset(), registry="mlops", cache_folder=None, check_with_azure=False)
    deployed = versions(load_catalogue(tmp_path, settings))
    planned = planning.plan_pipeline(stack_outputs(registry="mlops", assets=deployed), "training", {})
    version = deployed["component"]["prep"]
    assert (
        planned.asset.definition["jobs"]["prep"]["component"]
        == f"azureml://registries/mlops/components/prep/versions/{version}"
    )


def test_a_model_whose_versions_are_all_archived_has_none_to_promote() -> None:
    from azure.ai.ml.exceptions import ErrorTarget, ValidationException

    def get(name: str, label: str) -> Any:
        said = f"Asset {name} does not exist in workspace mlw."
        raise ValidationException(said, target=ErrorTarget.MODEL, no_personal_data_message=label)

    ml: Any = SimpleNamespace(models=SimpleNamespace(get=get))
    assert outcome.registered(ml, {"inputs": {"model_name": "flights"}}) is None
