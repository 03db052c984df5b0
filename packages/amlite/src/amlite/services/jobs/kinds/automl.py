"""AutoML: a search for the best model of a table. Its trials are child runs with models in MLflow's format."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services import environments
from amlite.services.environments import Prepared, own
from amlite.services.jobs import automl_task, drivers, tables
from amlite.services.jobs.documents import Job
from amlite.services.machinelearning.published.validation import writable

MODEL = "best_model"
_REPORTS, _ARTIFACTS = "reports.jsonl", "trials"
_PLACEHOLDER = {"jobInputType": "mltable", "uri": "azureml://datastores/workspaceblobstore/paths/x"}
_NODE = {
    "target_column_name": "targetColumnName", "weight_column_name": "weightColumnName",
    "positive_label": "positiveLabel", "cv_split_column_names": "cvSplitColumnNames",
    "validation_data_size": "validationDataSize", "test_data_size": "testDataSize",
    "primary_metric": "primaryMetric", "log_verbosity": "logVerbosity",
}  # fmt: skip
_MINUTES = {"timeout_minutes": "timeout", "trial_timeout_minutes": "trialTimeout",
            "ensemble_model_download_timeout_minutes": "ensembleModelDownloadTimeout"}  # fmt: skip
_GROUPS = {"limits": "limitSettings", "training": "trainingSettings", "featurization": "featurizationSettings",
           "forecasting": "forecastingSettings"}  # fmt: skip
_MODES = ("forecast_horizon", "seasonality", "target_rolling_window_size")


def inputs(properties: Json) -> Json:
    """Return the tables that a job of its own names, as inputs."""
    details = properties["taskDetails"]
    return {name: details[wire] for name, wire in automl_task.DATA.items() if details.get(wire)}


def problems(properties: Json) -> list[str]:
    """Return the settings of the job that are not supported here."""
    found = automl_task.problems(properties["taskDetails"])
    if properties.get("environmentId"):
        found.append("amlite runs AutoML in an environment of its own, so leave out environment_id")
    others = sorted(set(properties.get("outputs") or {}) - {MODEL, "default"})
    if others:
        found.append(f"the only output of an AutoML job is {MODEL}, got {', '.join(others)}")
    return found


def component(spec: Json) -> Json:
    """Return the declarations of a component: AutoML nodes have none."""
    optional = {"type": "mltable", "optional": True}
    declared = dict.fromkeys(automl_task.DATA, optional) | {"training_data": {"type": "mltable"}}
    outputs = {name: {"type": given.get("job_output_type") or given.get("type") or "mlflow_model"}
               for name, given in (spec.get("outputs") or {}).items() if isinstance(given, dict)}  # fmt: skip
    return {"name": "automl", "type": "automl", "inputs": declared, "outputs": outputs}


def data_of(spec: Json) -> Json:
    """Return a node with its tables as inputs, as other kinds have them."""
    return {**spec, "inputs": {name: spec[name] for name in automl_task.DATA if spec.get(name)}}


def from_node(component: Json, spec: Json) -> Json:
    """Return the task as a job of its own would have it; raises ValueError."""
    details = {wire: spec[name] for name, wire in _NODE.items() if spec.get(name) is not None}
    details["taskType"] = spec.get("task")
    if (folds := spec.get("n_cross_validations")) is not None:
        details["nCrossValidations"] = _mode(folds, "value")
    for name, wire in _GROUPS.items():
        if spec.get(name):
            details[wire] = {_camel(key): _value(key, value) for key, value in spec[name].items() if value is not None}
            for minutes, duration in _MINUTES.items():
                if spec[name].get(minutes) is not None:
                    details[wire].pop(_camel(minutes))
                    details[wire][duration] = f"PT{int(spec[name][minutes])}M"
    task = str(details["taskType"]).replace("_", "").lower()
    if task not in (known.lower() for known in automl_task.TASKS):
        return {"taskDetails": {"taskType": str(spec.get("task"))}}
    for name, wire in automl_task.DATA.items():
        if spec.get(name):
            details[wire] = _PLACEHOLDER
    try:
        checked = writable("AutoMLVertical", details)
    except AzureError as error:
        raise ValueError(error.message) from error
    return {"taskDetails": checked}


def _value(key: str, value: Any) -> Any:
    if key in _MODES:
        return _mode(value, "value")
    if key == "target_lags":
        return _mode(value if isinstance(value, list) or str(value).lower() == "auto" else [value], "values")
    if key == "time_series_id_column_names" and isinstance(value, str):
        return [value]
    if key == "stack_ensemble_settings":
        named = {_camel(name): given for name, given in value.items() if given is not None}
        return {("stackMetaLearnerKWargs" if name == "stackMetaLearnerKwargs" else name): given
                for name, given in named.items()}  # fmt: skip
    return value


def _mode(value: Any, name: str) -> Json:
    return {"mode": "Auto"} if str(value).lower() == "auto" else {"mode": "Custom", name: value}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


async def prepare(platform: Platform, job: Job, log: Callable[[str], None], who: Principal | None) -> Prepared:
    """Return the environment of the search, which is amlite's own."""
    sets = ("automl", "keras") if automl_task.is_deep(job.properties["taskDetails"]) else ("automl",)
    return await environments.installed(platform, own.packages(*sets), log)


def program(
    job: Job, inputs: Mapping[str, str | Path], outputs: Mapping[str, Path], folder: Path, prepared: Prepared
) -> tuple[list[str], dict[str, str]]:
    """Return the driver with its search settings."""
    settings = {
        **automl_task.search(job.properties["taskDetails"], int(job.run.get("nodes") or 1), os.cpu_count() or 1),
        "tables": {name: _table(Path(path)) for name, path in inputs.items()},
        "model": str(outputs[MODEL]) if MODEL in outputs else None,
        "reports": str(reports(folder)),
        "artifacts": str(artifacts(folder)),
    }
    path = folder / "search.json"
    path.write_text(json.dumps(settings), "utf-8")
    driver = folder / "driver"
    shutil.copytree(drivers.folder("automl"), driver / "search", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(drivers.path("table_steps"), driver / "table_steps.py")
    return ["python", "-m", "search", str(path)], {"PYTHONPATH": str(driver), "OMP_WAIT_POLICY": "PASSIVE"}


def reports(folder: Path) -> Path:
    """Return the file in which the search reports its trials."""
    return folder / _REPORTS


def artifacts(folder: Path) -> Path:
    """Return the folder with the files of each trial, by its number."""
    return folder / _ARTIFACTS


def _table(path: Path) -> Json:
    if tables.is_table(path):
        return tables.read(path)
    files = sorted(str(file) for file in path.rglob("*") if file.is_file()) if path.is_dir() else [str(path)]
    form = "parquet" if files and files[0].endswith(".parquet") else "delimited"
    return tables.of_files(files, form)
