"""What each kind can be: made by the real client from its YAML, found again, and read back as it was written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from azureml_fixtures.asset_project import OWNER, Project, workspace_of
from pulumi_azureml.operations.kinds import OPERATIONS
from pulumi_azureml.planning import Catalogue, CatalogueSettings, load_catalogue
from pulumi_azureml.resources.kinds import RESOURCES
from pulumi_azureml.resources.planned import Planned

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

    from amlite.testing import Workspace

Props = dict[str, Any]
_MLMODEL = "artifact_path: model\nflavors:\n  python_function:\n    loader_module: mlflow.sklearn\n"
_TABLE = "type: mltable\npaths:\n  - file: ./rows.csv\ntransformations:\n  - read_delimited:\n      delimiter: ','\n"
_PARALLEL = {
    "type": "run_function", "code": "./src", "entry_script": "score.py", "environment": "azureml:env-TAG@latest",
    "append_row_to": "${{outputs.scores}}",
}  # fmt: skip
_SPARK: Props = {
    "type": "spark", "code": "./src", "entry": {"file": "job.py"}, "args": "--rows ${{inputs.rows}}",
    "inputs": {"rows": {"type": "uri_file", "mode": "direct"}},
    "conf": {
        "spark.driver.cores": 1, "spark.driver.memory": "1g", "spark.executor.cores": 1,
        "spark.executor.memory": "1g", "spark.executor.instances": 1,
    },
}  # fmt: skip
_STEPS: Props = {
    "type": "pipeline",
    "settings": {"default_compute": "azureml:cpu"},
    "jobs": {
        "plain": {"type": "command", "component": "azureml:step_TAG@latest"},
        "tuned": {
            "type": "sweep", "trial": "azureml:tune_TAG@latest", "sampling_algorithm": "random",
            "search_space": {"rate": {"type": "uniform", "min_value": 0.1, "max_value": 0.9}},
            "objective": {"goal": "minimize", "primary_metric": "loss"},
            "limits": {"max_total_trials": 4, "max_concurrent_trials": 2, "timeout": 600},
        },
        "searched": {
            "type": "automl", "task": "regression", "primary_metric": "r2_score", "target_column_name": "b",
            "training_data": {"type": "mltable", "path": "azureml:table-TAG@latest"},
            "limits": {"timeout_minutes": 15, "max_trials": 2},
            "outputs": {"best_model": {"type": "mlflow_model"}},
        },
        "sparked": {
            "type": "spark", "component": "azureml:spark_TAG@latest", "inputs": {"rows": "${{parent.inputs.rows}}"},
            "resources": {"instance_type": "Standard_E4s_v3", "runtime_version": "3.4"},
        },
        "inner": {"type": "pipeline", "component": "azureml:inner_TAG@latest"},
    },
    "inputs": {"rows": {"type": "uri_file", "path": "azureml:file-TAG@latest"}},
}  # fmt: skip
_RECURRENCE: Props = {"type": "recurrence", "frequency": "month", "interval": 1, "time_zone": "W. Europe Standard Time"}
# File → its YAML. TAG makes the names the test's own.
FILES: dict[str, Props] = {
    "ml/environments/conda/environment.yml": {"name": "conda-TAG", "image": "python:3.11", "conda_file": "./conda.yml"},
    "ml/environments/docker/environment.yml": {"name": "docker-TAG", "build": {"path": "./context"}},
    "ml/datas/file/data.yml": {"name": "file-TAG", "type": "uri_file", "path": "./rows.csv"},
    "ml/datas/table/data.yml": {"name": "table-TAG", "type": "mltable", "path": "./table"},
    "ml/datas/cloud/data.yml": {
        "name": "cloud-TAG", "type": "uri_folder", "path": "azureml://datastores/workspaceblobstore/paths/there/",
    },
    "ml/datas/https/data.yml": {"name": "https-TAG", "type": "uri_file", "path": "https://example.com/rows.csv"},
    "ml/models/mlflow/model.yml": {"name": "mlflow-TAG", "type": "mlflow_model", "path": "./model"},
    "ml/models/triton/model.yml": {"name": "triton-TAG", "type": "triton_model", "path": "./repository"},
    "ml/models/single/model.yml": {"name": "single-TAG", "type": "custom_model", "path": "./weights.bin"},
    "ml/r/component.yml": {
        "name": "r_TAG", "type": "command", "command": "Rscript train.R --out ${{outputs.model}}", "code": "./src",
        "environment": "azureml:docker-TAG@latest", "outputs": {"model": {"type": "uri_folder"}},
    },
    "ml/tune/component.yml": {
        "name": "tune_TAG", "type": "command", "command": "python main.py ${{inputs.rate}}", "code": "./src",
        "environment": "azureml:conda-TAG@latest", "inputs": {"rate": {"type": "number"}},
    },
    "ml/score/component.yml": {
        "name": "score_TAG", "type": "parallel", "task": _PARALLEL, "mini_batch_size": "1", "error_threshold": -1,
        "inputs": {"rows": {"type": "uri_folder"}}, "outputs": {"scores": {"type": "uri_file"}},
        "input_data": "${{inputs.rows}}", "resources": {"instance_count": 1}, "retry_settings": {"max_retries": 2},
    },
    "ml/spark/component.yml": {"name": "spark_TAG", **_SPARK},
    "pipelines/inner.yml": {
        "$schema": "https://azuremlschemas.azureedge.net/latest/pipelineComponent.schema.json", "type": "pipeline",
        "name": "inner_TAG", "jobs": {"plain": {"type": "command", "component": "azureml:step_TAG@latest"}},
    },
    "pipelines/everything.yml": _STEPS,
    "pipelines/schedules/everything.yml": {
        "name": "everything-TAG", "create_job": "../everything.yml",
        "trigger": {**_RECURRENCE, "schedule": {"hours": [4, 16], "minutes": [30], "month_days": [1, 15]}},
    },
    "ml/deploy/token/endpoint.yml": {"name": "token-TAG", "auth_mode": "aml_token", "public_network_access": "enabled"},
    "ml/deploy/entra/endpoint.yml": {
        "name": "entra-TAG", "auth_mode": "aad_token", "identity": {"type": "system_assigned"},
    },
    "ml/batch/pipeline/endpoint.yml": {"name": "jobs-TAG", "auth_mode": "aad_token"},
    "ml/batch/pipeline/inner-deployment.yml": {
        "name": "inner", "endpoint_name": "jobs-TAG", "type": "pipeline", "component": "azureml:inner_TAG@latest",
        "settings": {"default_compute": "azureml:cpu", "continue_on_step_failure": False},
    },
    "ml/stores/datastore.yml": {
        "name": "blobs_TAG", "type": "azure_blob", "account_name": "stblobs", "container_name": "rows",
    },
    "ml/datas/stored/data.yml": {
        "name": "stored-TAG", "type": "uri_folder", "path": "azureml://datastores/blobs_TAG/paths/rows/",
    },
}  # fmt: skip
CONTENT = {
    "ml/environments/conda/conda.yml": "name: conda\ndependencies: [python=3.11]\n",
    "ml/environments/docker/context/Dockerfile": "FROM mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04\n",
    "ml/datas/file/rows.csv": "a,b\n1,2\n",
    "ml/datas/table/table/MLTable": _TABLE,
    "ml/datas/table/table/rows.csv": "a,b\n1,2\n",
    "ml/models/mlflow/model/MLmodel": _MLMODEL,
    "ml/models/triton/repository/simple/config.pbtxt": 'name: "simple"\n',
    "ml/models/triton/repository/simple/1/model.onnx": "onnx",
    "ml/models/single/weights.bin": "1",
    "ml/r/src/train.R": "cat('hello')\n",
    "ml/tune/src/main.py": "print('tune')\n",
    "ml/score/src/score.py": "def init(): ...\n\n\ndef run(batch):\n    return batch\n",
    "ml/spark/src/job.py": "print('spark')\n",
}


@pytest.fixture(scope="module")
def plan(
    tmp_path_factory: pytest.TempPathFactory, azureml_workspace: Workspace, cluster: None
) -> Iterator[tuple[Project, Catalogue]]:
    """Return a project with all of them, checked by azure-ai-ml too, and its plan."""
    root = tmp_path_factory.mktemp("variants")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        ml = azureml_workspace.client()
        project = Project(root, ml, "variants")
        for path, definition in FILES.items():
            project.write(path, definition)
        for path in FILES:
            file = root / path
            file.write_text(file.read_text("utf-8").replace("TAG", project.tag), "utf-8")
        for path, text in CONTENT.items():
            project.write(path, text)
        settings = CatalogueSettings(frozenset({"cpu"}), cache_folder=None, check_with_azure=True)
        planned = load_catalogue(root, settings)
        yield project, planned
        for kind in ("schedule", "online_endpoint", "batch_endpoint"):
            for asset in planned.of(kind):
                OPERATIONS[kind].remove(ml, props(project, planned, asset.path))


def props(project: Project, plan: Catalogue, path: str) -> Props:
    (asset,) = (each for each in plan.assets if each.path == path)
    own: Props = {
        "online_endpoint": {"rollout": {"steps": [100], "bake_seconds": 0}, "traffic": {}},
        "batch_deployment": {"is_default": True},
    }.get(asset.kind, {})
    return Planned.of(asset, workspace_of(project.ml, OWNER), **own).props()


def make(project: Project, plan: Catalogue, ml: MLClient, path: str, made: set[str]) -> None:
    """Make what a file defines after what it needs, once."""
    (asset,) = (each for each in plan.assets if each.path == path)
    for need in asset.depends_on:
        make(project, plan, ml, plan[need.kind, need.name].path, made)
    if path not in made and RESOURCES[asset.kind].is_needed:
        OPERATIONS[asset.kind].upsert(ml, props(project, plan, path))
        made.add(path)


@pytest.fixture(scope="module")
def made() -> set[str]:
    return set()


@pytest.mark.parametrize("path", [path for path in FILES if path != "pipelines/everything.yml"])
def test_made_found_again_and_read_back_as_written(
    path: str, plan: tuple[Project, Catalogue], ml_client: MLClient, made: set[str]
) -> None:
    project, planned = plan
    make(project, planned, ml_client, path, made)
    wanted = props(project, planned, path)
    kind = OPERATIONS[next(each.kind for each in planned.assets if each.path == path)]
    assert kind.observe(ml_client, wanted) == wanted
    assert kind.upsert(ml_client, wanted)["resource_id"]
    assert kind.observe(ml_client, wanted) == wanted


def test_a_schedule_of_every_kind_of_step_names_exact_versions(plan: tuple[Project, Catalogue]) -> None:
    project, planned = plan
    steps = planned["schedule", f"everything-{project.tag}"].definition["create_job"]["jobs"]
    for step, key, kind, name in (
        ("plain", "component", "component", "step_TAG"),
        ("tuned", "trial", "component", "tune_TAG"),
        ("sparked", "component", "component", "spark_TAG"),
        ("inner", "component", "component", "inner_TAG"),
    ):
        assert steps[step][key] == planned[kind, name.replace("TAG", project.tag)].reference
    table = planned["data", f"table-{project.tag}"]
    assert steps["searched"]["training_data"]["path"] == table.reference
