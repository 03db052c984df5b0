"""Searches for the best model of a table with FLAML, and writes it as an MLflow model.

Started with the path of a JSON file: see `settings` in the kind `automl`. The search works on a table that is prepared
once: numbers with their gaps filled, categories as numbers. The output is a scikit-learn pipeline of that
preparation and the best model found, fitted on all training data, so that serving it takes no FLAML.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import flaml  # type: ignore[import-not-found]
import mlflow
import numpy as np
import pandas as pd  # type: ignore[import-untyped]
from sklearn import metrics  # type: ignore[import-untyped]
from sklearn.base import clone  # type: ignore[import-untyped]
from sklearn.compose import make_column_selector, make_column_transformer  # type: ignore[import-untyped]
from sklearn.impute import SimpleImputer  # type: ignore[import-untyped]
from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]
from sklearn.pipeline import Pipeline, make_pipeline  # type: ignore[import-untyped]
from sklearn.preprocessing import OneHotEncoder, StandardScaler  # type: ignore[import-untyped]

Json = dict[str, Any]
SEED = 20130101


def read(table: Json) -> pd.DataFrame:
    """Return a table's files as one."""
    readers = {
        "delimited": lambda file: pd.read_csv(file, sep=table["delimiter"]),
        "parquet": pd.read_parquet,
        "json_lines": lambda file: pd.read_json(file, lines=True),
    }
    return pd.concat([readers[table["format"]](file) for file in table["files"]], ignore_index=True)


def scores(task: str, truth: Any, model: Any, rows: Any) -> dict[str, float]:
    """Return the service's metrics of a model on some rows; those that these rows do not allow are left out."""
    predicted = model.predict(rows)
    if task == "regression":
        width = float(np.max(truth) - np.min(truth)) or 1.0
        found = {
            "r2_score": metrics.r2_score(truth, predicted),
            "normalized_root_mean_squared_error": metrics.mean_squared_error(truth, predicted) ** 0.5 / width,
            "normalized_mean_absolute_error": metrics.mean_absolute_error(truth, predicted) / width,
            "spearman_correlation": pd.Series(np.asarray(truth)).rank().corr(pd.Series(predicted).rank()),
        }
        return {name: float(value) for name, value in found.items() if np.isfinite(value)}
    labels = list(model.classes_)
    recall = metrics.recall_score(truth, predicted, average="macro", zero_division=0)
    chance = 1 / len(labels)
    found = {
        "accuracy": metrics.accuracy_score(truth, predicted),
        "precision_score_weighted": metrics.precision_score(truth, predicted, average="weighted", zero_division=0),
        "norm_macro_recall": (recall - chance) / (1 - chance),
    }
    if len(set(truth)) == len(labels):
        chances = model.predict_proba(rows)
        hits = np.column_stack([np.asarray(truth) == label for label in labels])
        weights = hits.sum(axis=0) / len(hits)
        columns = range(len(labels))
        auc = [metrics.roc_auc_score(hits[:, column], chances[:, column]) for column in columns]
        precision = [metrics.average_precision_score(hits[:, column], chances[:, column]) for column in columns]
        found |= {"auc_weighted": weights @ auc, "average_precision_score_weighted": weights @ precision}
    return {name: float(value) for name, value in found.items()}


def preparation() -> Any:
    """Return the transformer that encodes a table's columns as numbers."""
    numbers = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    categories = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=2, sparse_output=False)
    chosen = make_column_selector(dtype_include="number")
    others = make_column_selector(dtype_exclude="number")
    return make_column_transformer((numbers, chosen), (categories, others), sparse_threshold=0)


def search(settings: Json) -> None:
    """Search, log and write."""
    task, metric, target = settings["task"], settings["metric"], settings["target"]
    tables = {name: read(table) for name, table in settings["tables"].items()}
    for name, table in tables.items():
        if target not in table:
            sys.exit(f"{name} has no column '{target}', only: {', '.join(map(str, table.columns))}")
    train = tables["training_data"].dropna(subset=[target])
    test = tables.get("test_data")
    if test is None and settings["test_share"]:
        train, test = train_test_split(train, test_size=settings["test_share"], random_state=SEED)
    rows, truth = train.drop(columns=target), train[target]
    prepare = preparation().fit(rows)
    smaller = metric.endswith("_error")

    def loss(held: Any, held_truth: Any, model: Any, *_: Any) -> tuple[float, Json]:
        found = scores(task, held_truth, model, held)
        if metric not in found:
            return float("inf"), found
        return (found[metric] if smaller else -found[metric]), found

    options: Json = {"eval_method": "auto"}
    if (held := tables.get("validation_data")) is not None:
        options = {"X_val": prepare.transform(held.drop(columns=target)), "y_val": held[target].to_numpy()}
    elif settings["folds"]:
        options = {"eval_method": "cv", "n_splits": settings["folds"]}
    elif settings["validation_share"]:
        options = {"eval_method": "holdout", "split_ratio": settings["validation_share"]}
    print(f"searching {', '.join(settings['algorithms'])} for {metric}", flush=True)
    automl = flaml.AutoML()
    automl.fit(
        prepare.transform(rows), truth.to_numpy(), task=task, metric=loss, estimator_list=settings["algorithms"],
        time_budget=settings["seconds"], max_iter=settings["trials"], early_stop=settings["early"], seed=SEED,
        retrain_full=False, n_jobs=-1, verbose=1, **options,
    )  # fmt: skip
    if automl.best_estimator is None:
        sys.exit("No trial ended within the job's limits; raise timeout_minutes or max_trials.")
    best = automl.best_loss if smaller else -automl.best_loss
    model = Pipeline([("prepare", prepare), ("model", clone(automl.model.estimator))]).fit(rows, truth)
    found = {metric: best}
    if test is not None:
        on_test = scores(task, test[target], model, test.drop(columns=target))
        found |= {f"test_{name}": value for name, value in on_test.items()}
    print(f"best: {automl.best_estimator} {automl.best_config}, {metric} {best:.6g}", flush=True)
    mlflow.log_metrics(found)
    mlflow.log_params({"algorithm": automl.best_estimator})
    write(settings["model"], model, rows)


def write(place: str, model: Pipeline, rows: pd.DataFrame) -> None:
    """Write a fitted model with its signature and requirements."""
    names = ("scikit-learn", "lightgbm", "pandas", "numpy", "cloudpickle")
    import importlib.metadata

    needs = [f"{name}=={importlib.metadata.version(name)}" for name in names]
    path = Path(place)
    if path.is_dir():
        path.rmdir()  # MLflow makes it
    signature = mlflow.models.infer_signature(rows, model.predict(rows.head()))
    mlflow.sklearn.save_model(model, str(path), signature=signature, pip_requirements=["mlflow-skinny", *needs])


if __name__ == "__main__":
    search(json.loads(Path(sys.argv[1]).read_text("utf-8")))
