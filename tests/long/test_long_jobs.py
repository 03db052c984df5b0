"""Jobs that take long against amlite: Spark in a Databricks workspace, and searches for a forecast."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from amlite_fixtures.bricks import Bricks, bricks, job, put
from amlite_fixtures.jobs import CLUSTER, equip, history, table, until
from amlite_fixtures.scoring import Scoring, empty

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

    from amlite.testing import Workspace

__all__ = ["empty"]  # a fixture
PREPARE = """
import sys
from pyspark.sql import SparkSession

source, target = sys.argv[1:3]
spark = SparkSession.builder.getOrCreate()
table = spark.read.csv(source, header=True, inferSchema=True)
table.groupBy("carrier").avg("delay").coalesce(1).write.mode("overwrite").csv(target, header=True)
print("prepared", table.count(), "rows")
"""


@pytest.fixture
def databricks(azureml_workspace: Workspace) -> Iterator[Bricks]:
    with bricks(azureml_workspace) as made:
        yield made


def test_job_prepares_data_by_the_identity_of_the_access_connector(databricks: Bricks) -> None:
    path = put(databricks, PREPARE)
    made = job(
        databricks,
        path,
        "{{job.parameters.source}}",
        f"{databricks.lake}/flights/prepared",
        parameters=[{"name": "source", "default": "unset"}],
    )
    source = f"{databricks.lake}/flights/raw/flights.csv"
    run = databricks.client.jobs.run_now(made, job_parameters={"source": source}).result()
    assert (run.state.result_state.value, run.tasks[0].state.result_state.value) == ("SUCCESS", "SUCCESS")
    output = databricks.client.jobs.get_run_output(run.tasks[0].run_id)
    assert "prepared 3 rows" in output.logs
    written = [blob.name for blob in databricks.container.list_blobs("flights/prepared/")]
    (table,) = [name for name in written if name.endswith(".csv")]
    assert sorted(databricks.container.download_blob(table).readall().split()) == [
        b"AA,15.0",
        b"UA,5.0",
        b"carrier,avg(delay)",
    ]
    assert [each.run_id for each in databricks.client.jobs.list_runs(job_id=made)] == [run.run_id]
    databricks.client.jobs.delete(made)


def test_a_forecast_learns_the_season_of_each_series(
    azureml_workspace: Workspace, ml_client: MLClient, tmp_path: Path
) -> None:
    from azure.ai.ml import automl

    equip(azureml_workspace)
    client = ml_client

    rows = [f"2024-{1 + day // 28:02d}-{1 + day % 28:02d},{shop},{10 * (day % 7) + 5 * (shop == 'b')}"
            for shop in "ab" for day in range(28)]  # fmt: skip
    job = automl.forecasting(
        training_data=table(tmp_path / "table", "day,shop,sales", rows), target_column_name="sales",
        primary_metric="normalized_root_mean_squared_error", n_cross_validations=2, compute=CLUSTER,
        experiment_name="tests",
    )  # fmt: skip
    job.set_forecast_settings(time_column_name="day", time_series_id_column_names=["shop"], forecast_horizon=7)
    job.set_limits(timeout_minutes=10, max_trials=3)
    job.set_training(allowed_training_algorithms=["SeasonalNaive", "Naive"], enable_vote_ensemble=False)
    name = client.jobs.create_or_update(job).name
    assert until(client, name).status == "Completed", history(client, name).error
    best = history(client, client.jobs.get(name).tags["automl_best_child_run_id"])
    assert best.properties["run_algorithm"] == "SeasonalNaive"
    assert float(best.properties["score"]) == 0


def test_a_network_learns_a_series_with_gaps_and_serves_its_forecast(
    azureml_workspace: Workspace, ml_client: MLClient, empty: Scoring, tmp_path: Path
) -> None:
    """In the manner of the daily users of GitHub in azureml-examples: only TCNForecaster, and data for validation."""
    from azure.ai.ml import automl
    from azure.ai.ml.entities import ManagedOnlineDeployment, Model

    equip(azureml_workspace)
    days = [date(2024, 1, 1) + timedelta(days=number) for number in range(200)]
    rows = [f"{day},{100 * (day.weekday() + 1)}" for day in days]
    job = automl.forecasting(
        training_data=table(tmp_path / "train", "day,sales", rows[:90] + rows[91:172]),
        validation_data=table(tmp_path / "held", "day,sales", rows[172:]), target_column_name="sales",
        primary_metric="normalized_root_mean_squared_error", compute=CLUSTER, experiment_name="tests",
    )  # fmt: skip
    job.set_forecast_settings(time_column_name="day", forecast_horizon=7)
    job.set_limits(timeout_minutes=20, max_trials=2)
    job.set_training(allowed_training_algorithms=["TCNForecaster"], enable_dnn_training=True)
    name = ml_client.jobs.create_or_update(job).name
    assert until(ml_client, name).status == "Completed", history(ml_client, name).error
    best = ml_client.jobs.get(name).tags["automl_best_child_run_id"]
    trial = history(ml_client, best)
    assert trial.properties["run_algorithm"] == "TCNForecaster"
    assert float(trial.properties["score"]) < 0.15

    uri = f"azureml://jobs/{best}/outputs/artifacts/outputs/mlflow-model/"
    model = ml_client.models.create_or_update(Model(name="sales", path=uri, type="mlflow_model"))
    deployment = ManagedOnlineDeployment(
        name="blue", endpoint_name=empty.name, model=f"azureml:{model.name}:{model.version}",
        instance_type="Standard_DS3_v2", instance_count=1,
    )  # fmt: skip
    empty.ml.online_deployments.begin_create_or_update(deployment).result()
    empty.set_traffic(blue=100)
    request = tmp_path / "request.json"
    asked = {"columns": ["day"], "index": [0, 1], "data": [["2024-06-24"], ["2024-06-26"]]}
    request.write_text(json.dumps({"input_data": asked}), "utf-8")
    found = json.loads(empty.ml.online_endpoints.invoke(empty.name, request_file=str(request)))
    assert found == pytest.approx([100, 300], abs=80)
