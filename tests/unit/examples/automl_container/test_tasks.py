"""The tasks of the pipeline, against a workspace in memory: what they do, do again, and refuse."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError

Task = Callable[[str], ModuleType]
MODEL = "wine-cultivars"


class Kept:
    """Assets of one kind, by name (and version)."""

    def __init__(self) -> None:
        self.all: dict[str, Any] = {}
        self.written: list[Any] = []

    def get(self, name: str, version: str = "") -> Any:
        try:
            return self.all[f"{name}:{version}"]
        except KeyError:
            raise ResourceNotFoundError(f"{name} was not found") from None

    def create_or_update(self, entity: Any) -> Any:
        self.written.append(entity)
        version = getattr(entity, "version", None) or ("1" if entity.__class__.__name__ == "Model" else "")
        self.all[f"{entity.name}:{version}"] = entity
        if version:
            entity.version = version
        return entity


class Jobs(Kept):
    """Jobs, whose statuses come one after another."""

    def __init__(self) -> None:
        super().__init__()
        self.statuses: list[str] = []
        self.children: list[Any] = []
        self.tags: dict[str, str] = {}

    def get(self, name: str, version: str = "") -> Any:
        if self.statuses:
            return SimpleNamespace(name=name, status=self.statuses.pop(0), tags=self.tags, studio_url="https://studio")
        return super().get(name, version)

    def list(self, *, parent_job_name: str) -> list[Any]:
        assert parent_job_name == "run-1-automl"
        return self.children


class Online:
    """One endpoint and its deployments. `log` has every change, in order."""

    def __init__(self, *endpoints: Any) -> None:
        self.endpoints = {each.name: each for each in endpoints}
        self.deployments: dict[str, Any] = {}
        self.log: list[str] = []
        self.breaks = False


class Endpoints:
    def __init__(self, online: Online) -> None:
        self.online = online

    def list(self) -> list[Any]:
        return list(self.online.endpoints.values())

    def get(self, name: str) -> Any:
        return self.online.endpoints[name]

    def begin_create_or_update(self, endpoint: Any) -> Any:
        self.online.log.append(f"traffic {endpoint.traffic}")
        return SimpleNamespace(result=lambda: endpoint)


class Deployments:
    def __init__(self, online: Online) -> None:
        self.online = online

    def list(self, _endpoint: str) -> list[Any]:
        return list(self.online.deployments.values())

    def begin_create_or_update(self, deployment: Any) -> Any:
        self.online.log.append(f"create {deployment.name}")
        self.online.deployments[deployment.name] = deployment
        if self.online.breaks:
            raise HttpResponseError("(ResourceNotReady) The container did not start.\nMore of it.")
        return SimpleNamespace(result=lambda: deployment)

    def begin_delete(self, name: str, _endpoint: str) -> Any:
        self.online.log.append(f"delete {name}")
        del self.online.deployments[name]
        return SimpleNamespace(result=lambda: None)


def endpoint(name: str = "wine-dev", serves: str = MODEL, **traffic: int) -> Any:
    return SimpleNamespace(name=name, tags={"serves": serves}, traffic=traffic, scoring_uri=f"https://{name}/score")


def workspace(*endpoints: Any) -> Any:
    online = Online(*endpoints)
    return SimpleNamespace(
        data=Kept(), jobs=Jobs(), models=Kept(), online=online,
        online_endpoints=Endpoints(online), online_deployments=Deployments(online),
    )  # fmt: skip


def values(folder: Path) -> dict[str, str]:
    return {file.stem: file.read_text("utf-8") for file in folder.iterdir()}


def given(folder: Path, **texts: str) -> Path:
    folder.mkdir()
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text, "utf-8")
    return folder


def test_the_table_is_registered_once_under_the_hash_of_its_content(task: Task, tmp_path: Path, image: Path) -> None:
    client, prepare = workspace(), task("prepare_data")
    for attempt in ("first", "second"):
        prepare.run(client, Namespace(dataset=tmp_path / attempt))
    (registered,) = client.data.written
    version = prepare.version(image / "data")
    assert (registered.name, registered.version) == ("wine", version)
    assert values(tmp_path / "second") == {"reference": f"azureml:wine:{version}"}
    other = given(tmp_path / "other")
    for name in ("MLTable", "wine.csv"):
        (other / name).write_bytes((image / "data" / name).read_bytes() + b"\n")
    assert prepare.version(other) != version


def test_a_task_that_starts_again_finds_the_automl_job_of_its_first_attempt(task: Task, tmp_path: Path) -> None:
    client, submit = workspace(), task("submit_automl")
    dataset = given(tmp_path / "dataset", reference="azureml:wine:abc")
    for attempt in ("first", "second"):
        submit.run(client, Namespace(dataset=dataset, job=tmp_path / attempt))
    (job,) = client.jobs.written
    assert (job.name, job.training_data.path) == ("run-1-automl", "wine:abc")
    assert values(tmp_path / "second") == {"name": "run-1-automl"}


def test_the_best_trial_is_the_one_that_automl_names(
    task: Task, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client, wait = workspace(), task("wait_for_automl")
    client.jobs.statuses = ["NotStarted", "Running", "Running", "Completed"]
    client.jobs.tags = {"automl_best_child_run_id": "run-1-automl_1"}
    scores = {"run-1-automl_0": ("RandomForest", "0.95"), "run-1-automl_1": ("LightGBM", "0.98")}
    client.jobs.children = [
        SimpleNamespace(name=name, properties={"run_algorithm": algorithm, "score": score})
        for name, (algorithm, score) in scores.items()
    ]
    client.jobs.children.append(SimpleNamespace(name="run-1-automl_setup", properties=None))
    job = given(tmp_path / "job", name="run-1-automl")
    wait.run(client, Namespace(job=job, best=tmp_path / "best", seconds=0))
    assert values(tmp_path / "best") == {
        "trial": "run-1-automl_1", "algorithm": "LightGBM", "score": "0.980000", "job": "run-1-automl",
    }  # fmt: skip
    assert capsys.readouterr().out.splitlines() == [
        "run-1-automl: NotStarted", "run-1-automl: Running", "run-1-automl: Completed",
        "  1  0.9800  LightGBM", "  2  0.9500  RandomForest",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("Failed", "AutoML job run-1-automl ended with status Failed. Its log has the reason: https://studio"),
        ("Completed", "no best trial"),
    ],
)
def test_waiting_ends_with_the_reason(task: Task, tmp_path: Path, status: str, message: str) -> None:
    client, wait = workspace(), task("wait_for_automl")
    client.jobs.statuses = ["Running", status]
    job = given(tmp_path / "job", name="run-1-automl")
    with pytest.raises(task("errors").TaskError, match=message):
        wait.run(client, Namespace(job=job, best=tmp_path / "best", seconds=0))


def test_the_model_of_the_best_trial_is_registered_with_its_score(task: Task, tmp_path: Path) -> None:
    client = workspace()
    best = given(tmp_path / "best", trial="run-1-automl_1", algorithm="LightGBM", score="0.98", job="run-1-automl")
    task("register_model").run(client, Namespace(name=MODEL, best=best, model=tmp_path / "model"))
    (model,) = client.models.written
    assert model.path == "azureml://jobs/run-1-automl_1/outputs/artifacts/paths/outputs/mlflow-model/"
    assert (model.type, model.tags["score"], model.tags["job"]) == ("mlflow_model", "0.98", "run-1-automl")
    assert values(tmp_path / "model") == {"name": MODEL, "version": "1"}


def test_a_deployment_gets_no_traffic_and_replaces_what_a_failed_run_left(task: Task, tmp_path: Path) -> None:
    client = workspace(endpoint(**{"automl-1": 100}))
    client.online.deployments = {name: SimpleNamespace(name=name) for name in ("automl-1", "automl-2")}
    model = given(tmp_path / "model", name=MODEL, version="3")
    task("deploy_model").run(client, Namespace(model=model, deployment=tmp_path / "deployment"))
    assert client.online.log == ["delete automl-2", "create automl-3"]
    created = client.online.deployments["automl-3"]
    assert (created.endpoint_name, created.model) == ("wine-dev", f"{MODEL}:3")
    assert (created.code_configuration, created.environment) == (None, None)
    assert values(tmp_path / "deployment") == {
        "name": "automl-3", "endpoint": "wine-dev", "scoring_uri": "https://wine-dev/score", "model": f"{MODEL}:3",
    }  # fmt: skip


def test_a_deployment_that_does_not_start_is_deleted_and_the_reason_is_one_line(task: Task, tmp_path: Path) -> None:
    client = workspace(endpoint())
    client.online.breaks = True
    model = given(tmp_path / "model", name=MODEL, version="3")
    with pytest.raises(task("errors").TaskError) as refused:
        task("deploy_model").run(client, Namespace(model=model, deployment=tmp_path / "deployment"))
    assert str(refused.value) == (
        "deployment automl-3 of endpoint wine-dev did not start: (ResourceNotReady) The container did not start."
    )
    assert client.online.deployments == {}


@pytest.mark.parametrize("found", [[], [endpoint("a"), endpoint("b")], [endpoint(serves="other")]])
def test_the_endpoint_must_be_the_stacks(task: Task, found: list[Any]) -> None:
    with pytest.raises(task("errors").TaskError, match=f"one endpoint with the tag serves={MODEL}"):
        task("endpoint").of_model(workspace(*found), MODEL)


def test_the_traffic_moves_before_the_earlier_deployment_is_deleted(task: Task, tmp_path: Path) -> None:
    client = workspace(endpoint(**{"automl-1": 100}))
    client.online.deployments = {name: SimpleNamespace(name=name) for name in ("automl-1", "automl-3")}
    tested = given(tmp_path / "tested", name="automl-3", endpoint="wine-dev", model=f"{MODEL}:3")
    task("shift_traffic").run(client, Namespace(deployment=tested, served=tmp_path / "served"))
    assert client.online.log == ["traffic {'automl-3': 100}", "delete automl-1"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("<html>", "not JSON"),
        ('{"error": "x"}', "must answer 3 of the labels"),
        ('["barolo"]', "must answer 3 of the labels"),
        ("[0, 1, 2]", "must answer 3 of the labels"),
    ],
)
def test_an_answer_that_is_no_prediction_fails(task: Task, answer: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        task("check_answer").check(answer)


class ForbiddenError(HttpResponseError):
    def __init__(self) -> None:
        super().__init__("(AuthorizationFailed) The client 'x' has no authorization.\nCode: AuthorizationFailed")
        self.status_code = 403


FORBIDDEN = (
    "prepare_data: (AuthorizationFailed) The client 'x' has no authorization. "
    "Fix: give the cluster's identity the role that task_access.py defines."
)
NOT_SIGNED_IN = (
    "prepare_data: cannot sign in as managed identity 'somebody': No managed identity. "
    "Fix: assign the identity to the cluster."
)


@pytest.mark.parametrize(
    ("error", "line"),
    [(ForbiddenError(), FORBIDDEN), (ClientAuthenticationError("No managed identity.\nMore of it."), NOT_SIGNED_IN)],
    ids=["forbidden", "not signed in"],
)
def test_a_task_fails_with_one_line(
    task: Task, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception, line: str
) -> None:
    def refuse(*_: Any) -> None:
        raise error

    monkeypatch.setattr(task("prepare_data"), "run", refuse)
    with pytest.raises(SystemExit) as ended:
        task("__main__").main(["--client-id", "somebody", "prepare_data", "--dataset", str(tmp_path)])
    assert ended.value.code == line


def test_a_cluster_without_an_identity_fails_before_any_request(
    task: Task, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DEFAULT_IDENTITY_CLIENT_ID")
    with pytest.raises(SystemExit) as ended:
        task("__main__").main(["prepare_data", "--dataset", str(tmp_path)])
    assert ended.value.code == (
        "prepare_data: the cluster has no managed identity. Fix: assign a user-assigned identity to the cluster"
    )
