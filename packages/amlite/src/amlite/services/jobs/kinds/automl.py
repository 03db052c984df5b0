"""AutoML: FLAML searches for the best model of a table, which is written as an MLflow model.

FLAML stands in for the service's own search: metrics, limits, cross validation and the choice of algorithms are the
job's; ensembles, featurization settings and model explanations are not made.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from amlite.core.access import Principal
from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services import environments
from amlite.services.environments import Prepared, own
from amlite.services.jobs import drivers, plan, tables
from amlite.services.jobs.documents import Job

MODEL = "best_model"
_TASKS = ("Classification", "Regression")
# The service's names of algorithms, without case and underscores, and FLAML's.
_ALGORITHMS = {
    "lightgbm": "lgbm",
    "randomforest": "rf",
    "extremerandomtrees": "extra_tree",
    "logisticregression": "lrl1",
    "knn": "kneighbor",
}
_OF_TASK = {
    "Classification": ("lgbm", "rf", "extra_tree", "lrl1", "kneighbor"),
    "Regression": ("lgbm", "rf", "extra_tree", "kneighbor"),
}
_DEFAULT_METRIC = {"Classification": "accuracy", "Regression": "normalized_root_mean_squared_error"}
METRICS = {
    "Classification": (
        "accuracy",
        "auc_weighted",
        "average_precision_score_weighted",
        "norm_macro_recall",
        "precision_score_weighted",
    ),
    "Regression": (
        "normalized_mean_absolute_error",
        "normalized_root_mean_squared_error",
        "r2_score",
        "spearman_correlation",
    ),
}
_DATA = {"training_data": "trainingData", "validation_data": "validationData", "test_data": "testData"}
_DETAILS = {
    "target_column_name": "targetColumnName",
    "validation_data_size": "validationDataSize",
    "test_data_size": "testDataSize",
    "primary_metric": "primaryMetric",
}
_LIMITS = {"max_trials": "maxTrials", "exit_score": "exitScore", "enable_early_termination": "enableEarlyTermination"}
_DEFAULT_SECONDS, _DEFAULT_TRIALS = 6 * 3600, 1000


def inputs(properties: Json) -> Json:
    """Return the tables that a job of its own names, as inputs."""
    details = properties["taskDetails"]
    return {name: details[wire] for name, wire in _DATA.items() if details.get(wire)}


def problems(properties: Json) -> list[str]:
    """Return the settings of the task that are not supported here."""
    details = properties["taskDetails"]
    task, found = details.get("taskType"), []
    if task not in _TASKS:
        return [f"amlite runs AutoML tasks of type {' and '.join(_TASKS)} only, got '{task}'"]
    if _metric(details) not in METRICS[task]:
        found.append(
            f"'{details['primaryMetric']}' is not a primary metric of {task}; use one of {', '.join(METRICS[task])}"
        )
    if not details.get("targetColumnName"):
        found.append("target_column_name is missing")
    if not _algorithms(details):
        found.append(f"amlite runs none of the allowed training algorithms; allow one of {', '.join(_ALGORITHMS)}")
    others = sorted(set(properties.get("outputs") or {}) - {MODEL, "default"})
    if others:
        found.append(f"the only output of an AutoML job is {MODEL}, got {', '.join(others)}")
    return found


def component(spec: Json) -> Json:
    """Return the declarations of a component: AutoML nodes have none."""
    optional = {"type": "mltable", "optional": True}
    declared = dict.fromkeys(_DATA, optional) | {"training_data": {"type": "mltable"}}
    outputs = {name: {"type": given.get("job_output_type") or given.get("type") or "mlflow_model"}
               for name, given in (spec.get("outputs") or {}).items() if isinstance(given, dict)}  # fmt: skip
    return {"name": "automl", "type": "automl", "inputs": declared, "outputs": outputs}


def data_of(spec: Json) -> Json:
    """Return a node with its tables as inputs, as other kinds have them."""
    return {**spec, "inputs": {name: spec[name] for name in _DATA if spec.get(name)}}


def from_node(component: Json, spec: Json) -> Json:
    """Return the task as a job of its own would have it; raises ValueError."""
    limits, training = spec.get("limits") or {}, spec.get("training") or {}
    folds = spec.get("n_cross_validations")
    settings: Json = {wire: limits[name] for name, wire in _LIMITS.items() if limits.get(name) is not None}
    for name, wire in (("timeout_minutes", "timeout"), ("trial_timeout_minutes", "trialTimeout")):
        if limits.get(name):
            settings[wire] = f"PT{int(limits[name])}M"
    details = {wire: spec[name] for name, wire in _DETAILS.items() if spec.get(name) is not None}
    if folds is not None:
        custom = {"mode": "Custom", "value": int(folds)} if str(folds).isdecimal() else {"mode": "Auto"}
        details["nCrossValidations"] = custom
    return {
        "taskDetails": {
            "taskType": "".join(part.capitalize() for part in str(spec.get("task")).split("_")),
            **details,
            "limitSettings": settings,
            "trainingSettings": {
                f"{which}TrainingAlgorithms": training.get(f"{which}_training_algorithms")
                for which in ("allowed", "blocked")
            },
        },
    }


async def prepare(platform: Platform, job: Job, log: Callable[[str], None], who: Principal | None) -> Prepared:
    """Return the environment with FLAML, which is amlite's own, regardless of the environment that the job names."""
    return await environments.installed(platform, own.packages("automl"), log)


def program(
    job: Job, inputs: Mapping[str, str | Path], outputs: Mapping[str, Path], folder: Path, prepared: Prepared
) -> tuple[list[str], dict[str, str]]:
    """Return the driver with its search settings."""
    path = folder / "search.json"
    path.write_text(json.dumps(settings(job.properties, inputs, outputs)), "utf-8")
    driver = folder / "search.py"
    shutil.copyfile(drivers.path("automl"), driver)
    return ["python", str(driver), str(path)], {}


def settings(properties: Json, inputs: Mapping[str, str | Path], outputs: Mapping[str, Path]) -> Json:
    """Return the driver's input; raises DataAccessError for a table that cannot be read."""
    details = properties["taskDetails"]
    limits, folds = details.get("limitSettings") or {}, details.get("nCrossValidations") or {}
    early = limits.get("enableEarlyTermination")
    return {
        "task": details["taskType"].lower(),
        "metric": _metric(details),
        "target": details["targetColumnName"],
        "tables": {name: _table(Path(path)) for name, path in inputs.items()},
        "folds": int(folds.get("value") or 0),
        "validation_share": float(details.get("validationDataSize") or 0),
        "test_share": float(details.get("testDataSize") or 0),
        "algorithms": _algorithms(details),
        "seconds": plan.seconds(limits["timeout"]) if limits.get("timeout") else _DEFAULT_SECONDS,
        "trials": int(limits.get("maxTrials") or _DEFAULT_TRIALS),
        "early": True if early is None else bool(early),
        "model": str(outputs.get(MODEL) or Path("outputs") / "mlflow-model"),
    }


def _table(path: Path) -> Json:
    if tables.is_table(path):
        return tables.read(path)
    files = sorted(str(file) for file in path.rglob("*") if file.is_file()) if path.is_dir() else [str(path)]
    form = "parquet" if files and files[0].endswith(".parquet") else "delimited"
    return {"files": files, "format": form, "delimiter": ","}


def _metric(details: Json) -> str:
    """Return the primary metric as snake case has it, without case where the service's own has some."""
    given = str(details.get("primaryMetric") or _DEFAULT_METRIC[details["taskType"]])
    known = {name.replace("_", ""): name for name in METRICS[details["taskType"]]}
    return known.get(given.replace("_", "").lower(), given)


def _algorithms(details: Json) -> list[str]:
    training = details.get("trainingSettings") or {}
    allowed, blocked = (
        [_ALGORITHMS.get(str(name).replace("_", "").lower()) for name in training.get(which) or ()]
        for which in ("allowedTrainingAlgorithms", "blockedTrainingAlgorithms")
    )
    return [name for name in _OF_TASK[details["taskType"]] if (not allowed or name in allowed) and name not in blocked]
