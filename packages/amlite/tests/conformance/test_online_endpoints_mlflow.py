"""MLflow models deployed without code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError

from amlite_fixtures.scoring import Collected, Scoring

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

    from amlite.testing import Workspace

LOADER = """
class _Doubling:
    def predict(self, data):
        return data["value"] * 2

def _load_pyfunc(path):
    return _Doubling()
"""
MLMODEL = """
flavors:
  python_function: {loader_module: doubling, code: code, env: conda.yaml, python_version: 3.11.7}
mlflow_version: 2.16.2
model_uuid: 5f1f6a37d1f04d6eb2a4c6d8a2a0c5de
signature:
  inputs: '[{"type": "double", "name": "value", "required": true}]'
  outputs: '[{"type": "double", "required": true}]'
"""
CONDA = """
name: own
channels: [conda-forge]
dependencies:
- python=3.11.7
- pip<=25
- pip: [mlflow-skinny==2.16.2, pandas==2.2.3, numpy<2.3]
"""


@pytest.fixture(scope="session")
def mlflow_model(ml_client: MLClient, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Return a function that registers a model as MLflow writes it."""

    def make(name: str, conda: str | None = CONDA) -> str:
        from azure.ai.ml.entities import Model

        folder = tmp_path_factory.mktemp("mlflow") / "doubling"
        (folder / "code").mkdir(parents=True)
        (folder / "code" / "doubling.py").write_text(LOADER)
        (folder / "MLmodel").write_text(MLMODEL)
        if conda is not None:
            (folder / "conda.yaml").write_text(conda)
        made = ml_client.models.create_or_update(Model(name=name, path=str(folder), type="mlflow_model"))
        return f"azureml:{made.name}:{made.version}"

    return make


def deployment(endpoint: str, model: str) -> Any:
    from azure.ai.ml.entities import DataCollector, DeploymentCollection, ManagedOnlineDeployment

    names = ("model_inputs", "model_outputs")
    return ManagedOnlineDeployment(
        name="plain",
        endpoint_name=endpoint,
        model=model,
        instance_type="Standard_DS3_v2",
        instance_count=1,
        data_collector=DataCollector(collections={name: DeploymentCollection(enabled="true") for name in names}),
    )


def test_an_mlflow_model_is_served_without_code_and_its_tables_are_collected(
    empty: Scoring, mlflow_model: Callable[..., str], tmp_path: Path, azureml_workspace: Workspace
) -> None:
    """How-to-collect-production-data, "Collect data for MLflow models": Azure instruments the script that it makes."""
    empty.ml.online_deployments.begin_create_or_update(deployment(empty.name, mlflow_model("doubling"))).result()
    empty.set_traffic(plain=100)
    request = tmp_path / "request.json"
    request.write_text('{"input_data": {"columns": ["value"], "index": [0, 1], "data": [[1], [2.5]]}}')
    assert json.loads(empty.ml.online_endpoints.invoke(empty.name, request_file=str(request))) == [2.0, 5.0]
    collected = Collected(azureml_workspace)
    base = f"modelDataCollector/{empty.name}/plain"
    ((inputs,),) = collected.records(f"{base}/model_inputs/", 1).values()
    ((outputs,),) = collected.records(f"{base}/model_outputs/", 1).values()
    assert inputs["data"] == [{"value": 1}, {"value": 2.5}]
    assert outputs["data"] == [{"value": 2.0}, {"value": 5.0}]
    assert inputs["correlationid"] == outputs["correlationid"]
    assert empty.post({"input_data": [[3], [4]]}).json() == [6.0, 8.0]
    assert empty.post({"input_data": [{"value": 3}]}).json() == [6.0]
    for body, reason in (
        ({"value": 1}, 'the key "input_data"'),
        ({"input_data": {"columns": ["other"], "data": [[1]]}}, "missing inputs"),
        ({"input_data": {"columns": ["value"], "data": [["many"]]}}, "value"),
    ):
        refused = empty.post(body)
        assert refused.status_code == 400, refused.text
        assert reason in refused.json()["error"]
        assert refused.headers["ms-azureml-model-error-statuscode"] == "400"


def test_a_model_that_does_not_say_what_it_needs_fails_the_deployment(
    empty: Scoring, mlflow_model: Callable[..., str]
) -> None:
    model = mlflow_model("needy", None)
    with pytest.raises(HttpResponseError, match=r"neither conda\.yaml nor requirements\.txt"):
        empty.ml.online_deployments.begin_create_or_update(deployment(empty.name, model)).result()


def test_other_models_need_code(empty: Scoring, make_model: Callable[[int], str]) -> None:
    with pytest.raises(HttpResponseError, match="unless its model is of type mlflow_model"):
        empty.ml.online_deployments.begin_create_or_update(deployment(empty.name, make_model(2))).result()
