"""AutoML on tables through the real azure-ai-ml and MLflow clients: trials, the leaderboard, and the best model."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError

from amlite_fixtures.jobs import CLUSTER, equip, history, table, until
from amlite_fixtures.scoring import Scoring

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

    from amlite.testing import Workspace

Json = dict[str, Any]


@pytest.fixture
def client(azureml_workspace: Workspace, ml_client: MLClient) -> MLClient:
    """Return the client of a workspace with a cluster."""
    equip(azureml_workspace)
    return ml_client


def test_the_best_trial_of_a_job_is_registered_and_serves_without_code(
    client: MLClient, empty: Scoring, azureml_workspace: Workspace, tmp_path: Path
) -> None:
    """azureml-examples, automl-classification-task-bankmarketing-mlflow: the tag, the child, the path of its model."""
    from azure.ai.ml import automl
    from azure.ai.ml.entities import ManagedOnlineDeployment, Model

    rows = [f"{n % 60},{'ab'[n % 3 == 0]},{'yes' if (n % 60 > 30) != (n % 7 == 0) else 'no'}" for n in range(180)]
    job = automl.classification(
        training_data=table(tmp_path / "table", "age,letter,answer", rows), target_column_name="answer",
        primary_metric="AUC_weighted", n_cross_validations=2, compute=CLUSTER, experiment_name="tests",
        positive_label="yes", test_data_size=0.2, tags={"team": "blue"},
    )  # fmt: skip
    job.set_limits(timeout_minutes=10, max_trials=4, max_concurrent_trials=2)
    job.set_training(allowed_training_algorithms=["LightGBM", "LogisticRegression"], enable_stack_ensemble=False)
    name = client.jobs.create_or_update(job).name
    assert until(client, name).status == "Completed", history(client, name).error

    trials = {child.name: history(client, child.name) for child in client.jobs.list(parent_job_name=name)}
    assert list(trials) == [f"{name}_{number}" for number in range(4)]
    assert {trial.status for trial in trials.values()} == {"Completed"}
    algorithms = [trial.properties["run_algorithm"] for trial in trials.values()]
    assert (algorithms[3], set(algorithms[:3])) == ("VotingEnsemble", {"LightGBM", "LogisticRegression"})
    parent = client.jobs.get(name)
    best = parent.tags["automl_best_child_run_id"]
    assert (parent.tags["team"], parent.properties["primary_metric"]) == ("blue", "AUC_weighted")
    assert parent.tags["run_algorithm_000"].split(";") == algorithms
    values = [float(score) for score in parent.tags["score_000"].split(";")]
    assert best == f"{name}_{values.index(max(values))}"
    assert [float(trial.properties["score"]) for trial in trials.values()] == values

    run = mlflow_run(azureml_workspace, best)
    metrics = {metric["key"]: metric["value"] for metric in run["data"]["metrics"]}
    assert metrics["AUC_weighted"] == pytest.approx(max(values))
    assert {"accuracy", "f1_score_macro", "log_loss", "norm_macro_recall", "recall_score_binary"} <= set(metrics)
    assert {"key": "mlflow.parentRunId", "value": name} in run["data"]["tags"]
    kept = {tag["key"]: tag["value"] for tag in mlflow_run(azureml_workspace, name)["data"]["tags"]}
    assert kept["automl_best_child_run_id"] == best

    client.jobs.download(best, download_path=str(tmp_path / "best"), all=True)
    (names,) = (tmp_path / "best").rglob("explanation/*/global_names/0.interpret.json")
    assert json.loads(names.read_text("utf-8"))[0] == "age"

    uri = f"azureml://jobs/{best}/outputs/artifacts/outputs/mlflow-model/"
    model = client.models.create_or_update(Model(name="answers", path=uri, type="mlflow_model"))
    deployment = ManagedOnlineDeployment(
        name="blue", endpoint_name=empty.name, model=f"azureml:{model.name}:{model.version}",
        instance_type="Standard_DS3_v2", instance_count=1,
    )  # fmt: skip
    empty.ml.online_deployments.begin_create_or_update(deployment).result()
    empty.set_traffic(blue=100)
    request = tmp_path / "request.json"
    content = {"input_data": {"columns": ["age", "letter"], "index": [0, 1], "data": [[50, "a"], [5, "new"]]}}
    request.write_text(json.dumps(content), "utf-8")
    assert json.loads(empty.ml.online_endpoints.invoke(empty.name, request_file=str(request))) == ["yes", "no"]


def test_a_search_ends_at_its_exit_score_and_a_failing_one_says_why(client: MLClient, tmp_path: Path) -> None:
    from azure.ai.ml import automl

    data = table(tmp_path / "table", "x,y", [f"{n},{n * 2}" for n in range(60)])
    names = []
    for target in ("y", "z"):
        job = automl.regression(
            training_data=data, target_column_name=target, primary_metric="r2_score", validation_data_size=0.2,
            compute=CLUSTER, experiment_name="tests",
        )  # fmt: skip
        job.set_limits(timeout_minutes=10, max_trials=9, exit_score=0.5)
        job.set_training(allowed_training_algorithms=["DecisionTree"])
        names.append(client.jobs.create_or_update(job).name)
    assert until(client, names[0]).status == "Completed", history(client, names[0]).error
    assert [child.name for child in client.jobs.list(parent_job_name=names[0])] == [f"{names[0]}_0"]
    assert until(client, names[1]).status == "Failed"
    said = history(client, names[1]).error.error.message
    assert "target_column_name: training_data has no column 'z', only: x, y" in said


def test_a_forecast_of_one_series_knows_holidays_and_types_of_columns(client: MLClient, tmp_path: Path) -> None:
    """In the manner of the bike share of azureml-examples: the series has no name, and the table has types."""
    from azure.ai.ml import automl

    days = [date(2024, 12, 1) + timedelta(days=number) for number in range(60)]
    data = table(tmp_path / "table", "day,load,y", [f"{day},{day.day},{day.weekday() * 10}" for day in days])
    with (tmp_path / "table" / "MLTable").open("a", encoding="utf-8") as file:
        file.write("- convert_column_types:\n  - {columns: [load, y], column_type: float}\n")
    job = automl.forecasting(
        training_data=data, target_column_name="y", primary_metric="normalized_root_mean_squared_error",
        n_cross_validations=2, compute=CLUSTER, experiment_name="tests",
    )  # fmt: skip
    job.set_limits(timeout_minutes=10, max_trials=1)
    job.set_training(allowed_training_algorithms=["ElasticNet"], enable_stack_ensemble=False)
    job.set_forecast_settings(
        time_column_name="day", forecast_horizon=3, frequency="D", country_or_region_for_holidays="US"
    )
    name = client.jobs.create_or_update(job).name
    assert until(client, name).status == "Completed", history(client, name).error


def test_a_task_that_needs_a_gpu_is_refused_at_submission(client: MLClient, tmp_path: Path) -> None:
    from azure.ai.ml import automl

    data = table(tmp_path / "table", "text,label", ["a,b"])
    job: Any = automl.text_classification(
        training_data=data, validation_data=data, target_column_name="label", compute=CLUSTER, experiment_name="tests"
    )
    with pytest.raises(HttpResponseError, match="models of text and images need a GPU and pretrained weights"):
        client.jobs.create_or_update(job)


def mlflow_run(workspace: Workspace, name: str) -> Json:
    """Return a run as MLflow's API shows it."""
    import requests

    token = workspace.azure.credential.get_token("https://management.azure.com/.default").token
    address = f"https://westeurope.api.azureml.ms/mlflow/v2.0{workspace.id}/api/2.0/mlflow/runs/get"
    headers = {"Authorization": f"Bearer {token}"}
    answer = requests.get(address, params={"run_id": name}, headers=headers, timeout=60)
    answer.raise_for_status()
    found: Json = answer.json()["run"]
    return found
