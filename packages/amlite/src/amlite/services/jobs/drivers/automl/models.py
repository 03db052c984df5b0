"""Fitting: candidates and ensembles become models, which are scored and written in MLflow's format."""

from __future__ import annotations

import importlib.metadata
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import mlflow
import mlflow.sklearn
import numpy as np
import pandas as pd  # type: ignore[import-untyped]
from sklearn import ensemble, linear_model  # type: ignore[import-untyped]
from sklearn.base import BaseEstimator  # type: ignore[import-untyped]
from sklearn.inspection import permutation_importance  # type: ignore[import-untyped]
from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]
from sklearn.pipeline import Pipeline  # type: ignore[import-untyped]

from . import algorithms, forecasting, preparing, windows
from .algorithms import Candidate
from .reading import SEED, Json
from .scoring import differences, scores

PLACE = "outputs/mlflow-model"
"""Where a trial's artifacts have its model."""
VOTING, STACKING = "VotingEnsemble", "StackEnsemble"
_EXPLAINED_ROWS, _EXAMPLE_ROWS = 500, 50
_DEEP_NEEDS = ("keras", "jax", "jaxlib")
_NEEDS = ("scikit-learn", "lightgbm", "xgboost-cpu", "pandas", "numpy", "cloudpickle", "mlflow-skinny")
_META: dict[str, Callable[..., Any]] = {
    "LogisticRegression": linear_model.LogisticRegression,
    "LogisticRegressionCV": linear_model.LogisticRegressionCV,
    "LightGBMClassifier": lambda **given: import_module("lightgbm").LGBMClassifier(verbose=-1, **given),
    "ElasticNet": linear_model.ElasticNet,
    "ElasticNetCV": linear_model.ElasticNetCV,
    "LightGBMRegressor": lambda **given: import_module("lightgbm").LGBMRegressor(verbose=-1, **given),
    "LinearRegression": linear_model.LinearRegression,
}


class Voting(BaseEstimator):  # type: ignore[misc]
    """The mean of what fitted models predict."""

    def __init__(self, members: list[Any]) -> None:
        self.members = members
        if hasattr(members[0], "classes_"):
            self.classes_ = members[0].classes_

    def fit(self, rows: Any, truth: Any) -> Voting:
        """Do nothing: the members are fitted."""
        return self

    def knowing(self, rows: Any, truth: Any) -> Voting:
        """Return the same model with more of the past: its members are forecasters."""
        return Voting([member.knowing(rows, truth) for member in self.members])

    def predict_proba(self, rows: Any) -> Any:
        """Return the mean probability of each class."""
        return np.mean([member.predict_proba(rows) for member in self.members], axis=0)

    def predict(self, rows: Any) -> Any:
        """Return the most probable class, or the mean value."""
        if hasattr(self, "classes_"):
            return self.classes_[self.predict_proba(rows).argmax(axis=1)]
        return np.mean([member.predict(rows) for member in self.members], axis=0)


def fit(settings: Json, candidate: Candidate, members: list[Candidate], rows: Any, truth: Any, weights: Any) -> Any:
    """Return a candidate's model; an ensemble has other candidates as members."""
    if candidate.algorithm == VOTING:
        return Voting([_fit(settings, member, rows, truth, weights) for member in members])
    if candidate.algorithm == STACKING:
        return _stack(settings, members, rows, truth, weights)
    return _fit(settings, candidate, rows, truth, weights)


def _fit(settings: Json, candidate: Candidate, rows: Any, truth: Any, weights: Any) -> Any:
    if settings["forecasting"]:
        kind = windows if algorithms.is_deep(candidate) else forecasting
        return kind.forecaster(settings, candidate).fit(rows, truth)
    parts = [
        ("prepare", preparing.preparation(settings["featurization"], rows)),
        ("scale", algorithms.scaler(candidate)),
        ("model", algorithms.estimator(settings["task"], candidate, settings["cores"])),
    ]
    given = {} if weights is None else {"model__sample_weight": weights}
    return Pipeline(parts).fit(rows, truth, **given)


def _stack(settings: Json, members: list[Candidate], rows: Any, truth: Any, weights: Any) -> Any:
    """Fit the members on a part of the rows, and the meta-learner on what they predict for the rest."""
    classes, stack = settings["task"] == "classification", settings["stack"]
    base, rest = train_test_split(
        np.arange(len(rows)), test_size=stack["share"], random_state=SEED, stratify=truth if classes else None
    )
    held = None if weights is None else weights[base]
    fitted = [
        (f"member_{number}", _fit(settings, member, rows.iloc[base], truth[base], held))
        for number, member in enumerate(members)
    ]
    made = ensemble.StackingClassifier if classes else ensemble.StackingRegressor
    learner = _META[stack["learner"]](**stack["options"])
    given = {} if weights is None else {"sample_weight": weights[rest]}
    return made(fitted, learner, cv="prefit").fit(rows.iloc[rest], truth[rest], **given)


def evaluate(
    settings: Json, candidate: Candidate, members: list[Candidate], data: Json
) -> tuple[dict[str, float], Any]:
    """Return the mean metrics of a candidate over the folds, and its model.

    The model learns from all training rows, except from the share that was held out.
    """
    rows, truth, weights = data["rows"], data["truth"], data["weights"]
    if data["held"] is not None:
        model = fit(settings, candidate, members, rows, truth, weights)
        held_rows, held_truth = data["held"]
        return judged(settings, model, held_rows, held_truth), model
    found, model = [], None
    for train, held in data["folds"]:
        given, counted = (None, None) if weights is None else (weights[train], weights[held])
        model = fit(settings, candidate, members, rows.iloc[train], truth[train], given)
        found.append(judged(settings, model, rows.iloc[held], truth[held], counted))
    if len(data["folds"]) > 1 or settings["forecasting"]:
        model = fit(settings, candidate, members, rows, truth, weights)
    shared = set(found[0]).intersection(*found)
    return {name: float(np.mean([each[name] for each in found])) for name in sorted(shared)}, model


def judged(settings: Json, model: Any, rows: Any, truth: Any, weights: Any = None) -> dict[str, float]:
    """Return the metrics of a model on some rows."""
    if settings["forecasting"]:
        return differences(truth, forecasting.rolled(settings["forecasting"], model, rows, truth))
    return scores(model, rows, truth, weights, settings["positive_label"])


def importance(settings: Json, model: Any, data: Json) -> dict[str, float]:
    """Return the loss of the primary metric when a column's values are shuffled, the greatest first."""
    if data["held"] is not None:
        rows, truth = data["held"]
    else:
        held = data["folds"][0][1]
        rows, truth = data["rows"].iloc[held], data["truth"][held]
    rows, truth = rows.iloc[:_EXPLAINED_ROWS], truth[:_EXPLAINED_ROWS]
    measure = "accuracy" if settings["task"] == "classification" else "r2"
    found = permutation_importance(model, rows, truth, scoring=_scorer(measure), n_repeats=2, random_state=SEED)
    pairs = zip(map(str, rows.columns), map(float, found.importances_mean), strict=True)
    return dict(sorted(pairs, key=lambda pair: -pair[1]))


def _scorer(measure: str) -> Callable[[Any, Any, Any], float]:
    from sklearn.metrics import accuracy_score, r2_score  # type: ignore[import-untyped]

    compare = accuracy_score if measure == "accuracy" else r2_score
    return lambda model, rows, truth: float(compare(truth, model.predict(rows)))


def environment(*, deep: bool) -> Json:
    """Return the Conda environment in which a model is served. It is the same for all models but those of networks."""
    needs = [f"{name}=={importlib.metadata.version(name)}" for name in (*_NEEDS, *(_DEEP_NEEDS if deep else ()))]
    python = ".".join(map(str, sys.version_info[:3]))
    pip = {"pip": [*needs, "packaging==24.2", "setuptools<81"]}
    return {"name": "project_environment", "dependencies": [f"python={python}", "pip", pip]}


def signature(settings: Json, rows: pd.DataFrame, truth: Any) -> Any:
    """Return the signature of every model: the columns of a few rows, and what is predicted."""
    gaps = [rows[rows[name].isna()].head(1) for name in rows]  # columns with gaps are optional
    example = pd.concat([rows.head(_EXAMPLE_ROWS), *gaps])
    predicted = truth[:_EXAMPLE_ROWS] if settings["task"] == "classification" else np.zeros(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about whole numbers that may be missing later
        return mlflow.models.infer_signature(example, predicted)


def write(model: Any, signature: Any, folder: Path, run: str, *, deep: bool) -> None:
    """Write a model with its run, signature and environment. Serving it does not take this program."""
    cloudpickle.register_pickle_by_value(sys.modules[__package__ or ""])
    described = mlflow.models.Model(artifact_path=PLACE, run_id=run)
    mlflow.sklearn.save_model(
        model, str(folder / PLACE), signature=signature, conda_env=environment(deep=deep), mlflow_model=described
    )
