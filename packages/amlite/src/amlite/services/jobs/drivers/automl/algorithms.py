"""The algorithms by the service's names, with small search spaces, and the candidates that a search tries in turn."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np
from sklearn import ensemble, linear_model, naive_bayes, neighbors, svm, tree  # type: ignore[import-untyped]
from sklearn.base import BaseEstimator, ClassifierMixin  # type: ignore[import-untyped]
from sklearn.calibration import CalibratedClassifierCV  # type: ignore[import-untyped]
from sklearn.preprocessing import (  # type: ignore[import-untyped]
    LabelEncoder,
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)

from .reading import SEED, Json
from .temporal import Network, keras

_SCALERS: dict[str, Callable[[], Any]] = {
    "MaxAbsScaler": MaxAbsScaler,
    "StandardScalerWrapper": StandardScaler,
    "RobustScaler": RobustScaler,
    "MinMaxScaler": lambda: MinMaxScaler(clip=True),
}
_ANY = ("MaxAbsScaler", "StandardScalerWrapper", "RobustScaler")
_CENTRED = ("StandardScalerWrapper", "RobustScaler", "MinMaxScaler")
_POSITIVE = ("MinMaxScaler",)
_DRAWS = 200


@dataclass(frozen=True)
class Candidate:
    """One thing to try: an algorithm, what scales its input, and its hyperparameters."""

    algorithm: str
    preprocessor: str
    parameters: Json = field(default_factory=dict)


@dataclass(frozen=True)
class _Algorithm:
    """How an estimator is made from hyperparameters, a seed and a number of cores. Default values are first.

    `most` is the greatest number of its candidates.
    """

    make: Callable[..., Any]
    space: dict[str, tuple[Any, ...]]
    scalers: tuple[str, ...] = _ANY
    most: int = 1 + _DRAWS


class Numbered(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier that learns classes as numbers, and predicts them by their own names."""

    def __init__(self, classifier: Any) -> None:
        self.classifier = classifier

    def fit(self, rows: Any, truth: Any, sample_weight: Any = None) -> Numbered:
        """Fit the classifier."""
        self.encoder_ = LabelEncoder().fit(truth)
        self.classes_ = self.encoder_.classes_
        self.classifier.fit(rows, self.encoder_.transform(truth), sample_weight=sample_weight)
        return self

    def predict(self, rows: Any) -> Any:
        """Return the classes."""
        return self.encoder_.inverse_transform(np.asarray(self.classifier.predict(rows)).astype(int))

    def predict_proba(self, rows: Any) -> Any:
        """Return a probability for each class."""
        return self.classifier.predict_proba(rows)


def _lightgbm(kind: str) -> Callable[..., Any]:
    def make(seed: int, cores: int, **given: Any) -> Any:
        made = getattr(import_module("lightgbm"), f"LGBM{kind}")
        return made(random_state=seed, n_jobs=cores, verbose=-1, deterministic=True, **given)

    return make


def _xgboost(kind: str) -> Callable[..., Any]:
    def make(seed: int, cores: int, **given: Any) -> Any:
        made = getattr(import_module("xgboost"), f"XGB{kind}")(random_state=seed, n_jobs=cores, **given)
        return Numbered(made) if kind == "Classifier" else made

    return make


def _plain(estimator: Callable[..., Any], *, seeded: bool = True, parallel: bool = False, **fixed: Any) -> Any:
    def make(seed: int, cores: int, **given: Any) -> Any:
        options = {**({"random_state": seed} if seeded else {}), **({"n_jobs": cores} if parallel else {})}
        return estimator(**options, **fixed, **given)

    return make


def _calibrated(estimator: Callable[..., Any]) -> Any:
    def make(seed: int, cores: int, **given: Any) -> Any:
        return CalibratedClassifierCV(estimator(random_state=seed, **given), cv=3, ensemble=False, n_jobs=cores)

    return make


_BOOSTED = {"n_estimators": (50, 100, 150), "learning_rate": (0.1, 0.05, 0.2)}
_LEAVES = {**_BOOSTED, "num_leaves": (31, 15, 63), "min_child_samples": (20, 5, 50), "reg_lambda": (0.0, 1.0, 5.0)}
_LEVELS = {**_BOOSTED, "max_depth": (6, 3, 9), "subsample": (1.0, 0.8), "reg_lambda": (1.0, 0.1, 5.0)}
_TREES = {"n_estimators": (50, 100), "max_features": ("sqrt", 0.5, 1.0), "min_samples_leaf": (1, 2, 5)}
_TREE = {"max_depth": (6, 10, None), "min_samples_leaf": (5, 1, 20)}
_STEPS = {"n_estimators": (50, 100), "learning_rate": (0.1, 0.05), "max_depth": (3, 5), "subsample": (1.0, 0.8)}
_NEIGHBORS = {"n_neighbors": (10, 5, 25), "weights": ("distance", "uniform")}
_STRENGTH = {"alpha": (1e-4, 1e-3, 1e-5)}

_CLASSIFICATION = {
    "LightGBM": _Algorithm(_lightgbm("Classifier"), _LEAVES),
    "XGBoostClassifier": _Algorithm(_xgboost("Classifier"), _LEVELS),
    "ExtremeRandomTrees": _Algorithm(_plain(ensemble.ExtraTreesClassifier, parallel=True), _TREES),
    "RandomForest": _Algorithm(_plain(ensemble.RandomForestClassifier, parallel=True), _TREES),
    "LogisticRegression": _Algorithm(
        _plain(linear_model.LogisticRegression, max_iter=500), {"C": (1.0, 0.1, 10.0)}, _CENTRED
    ),
    "GradientBoosting": _Algorithm(_plain(ensemble.GradientBoostingClassifier), _STEPS),
    "SGD": _Algorithm(_plain(linear_model.SGDClassifier, loss="log_loss"), _STRENGTH, _CENTRED),
    "DecisionTree": _Algorithm(_plain(tree.DecisionTreeClassifier), _TREE),
    "KNN": _Algorithm(_plain(neighbors.KNeighborsClassifier, seeded=False), _NEIGHBORS, _CENTRED),
    "LinearSVM": _Algorithm(_calibrated(svm.LinearSVC), {"C": (1.0, 0.1, 10.0)}, _CENTRED),
    "SVM": _Algorithm(_calibrated(svm.SVC), {"C": (1.0, 0.1, 10.0)}, _CENTRED),
    "MultinomialNaiveBayes": _Algorithm(
        _plain(naive_bayes.MultinomialNB, seeded=False), {"alpha": (1.0, 0.1)}, _POSITIVE
    ),
    "BernoulliNaiveBayes": _Algorithm(_plain(naive_bayes.BernoulliNB, seeded=False), {"alpha": (1.0, 0.1)}),
}
_REGRESSION = {
    "LightGBM": _Algorithm(_lightgbm("Regressor"), _LEAVES),
    "XGBoostRegressor": _Algorithm(_xgboost("Regressor"), _LEVELS),
    "ExtremeRandomTrees": _Algorithm(_plain(ensemble.ExtraTreesRegressor, parallel=True), _TREES),
    "RandomForest": _Algorithm(_plain(ensemble.RandomForestRegressor, parallel=True), _TREES),
    "ElasticNet": _Algorithm(
        _plain(linear_model.ElasticNet), {"alpha": (0.01, 0.1, 1.0), "l1_ratio": (0.5, 0.1, 0.9)}, _CENTRED
    ),
    "GradientBoosting": _Algorithm(_plain(ensemble.GradientBoostingRegressor), _STEPS),
    "LassoLars": _Algorithm(_plain(linear_model.LassoLars), {"alpha": (0.01, 0.001, 0.1)}, _CENTRED),
    "SGD": _Algorithm(_plain(linear_model.SGDRegressor), _STRENGTH, _CENTRED),
    "DecisionTree": _Algorithm(_plain(tree.DecisionTreeRegressor), _TREE),
    "KNN": _Algorithm(_plain(neighbors.KNeighborsRegressor, seeded=False), _NEIGHBORS, _CENTRED),
}
_WINDOWED = {
    "depth": (1, 2), "cells": (3, 4), "channels": (32, 16), "dropout": (0.1, 0.0, 0.25),
    "learning_rate": (0.003, 0.001, 0.01),
}  # fmt: skip
# A network takes long on a CPU. Azure has as many landmarks, before it draws at random.
_DEEP = {"TCNForecaster": _Algorithm(Network, _WINDOWED, ("StandardScalerWrapper",), most=12)}
_OF_TASK = {"classification": _CLASSIFICATION, "regression": _REGRESSION, "forecasting": {**_REGRESSION, **_DEEP}}


def load(names: list[str]) -> None:
    """Import what the algorithms need, so that the processes of the trials need not."""
    for package, prefix in (("lightgbm", "LightGBM"), ("xgboost", "XGBoost")):
        if any(name.startswith(prefix) for name in names):
            import_module(package)
    if any(name in _DEEP for name in names):
        keras()


def is_deep(candidate: Candidate) -> bool:
    """Return whether a candidate is a network, which learns from windows of a series."""
    return candidate.algorithm in _DEEP


def scaler(candidate: Candidate) -> Any:
    """Return the transformer that scales a candidate's input."""
    return _SCALERS[candidate.preprocessor]()


def estimator(task: str, candidate: Candidate, cores: int) -> Any:
    """Return a candidate's estimator, not fitted."""
    return _OF_TASK[task][candidate.algorithm].make(seed=SEED, cores=cores, **candidate.parameters)


def candidates(task: str, names: list[str]) -> Iterator[Candidate]:
    """Yield the candidates in the order of the trials: each algorithm's defaults, then random points of each space.

    The order depends on nothing but the names. It ends when random points bring nothing new.
    """
    source, seen = random.Random(SEED), set()  # noqa: S311 - no secret is drawn
    tried, known = Counter(names), _OF_TASK[task]
    for name in names:
        first = Candidate(name, known[name].scalers[0], {key: values[0] for key, values in known[name].space.items()})
        seen.add(str(first))
        yield first
    for _ in range(_DRAWS):
        for name in names:
            space = known[name].space
            point = {key: source.choice(values) for key, values in space.items()}
            drawn = Candidate(name, source.choice(known[name].scalers), point)
            if str(drawn) not in seen and tried[name] < known[name].most:
                seen.add(str(drawn))
                tried[name] += 1
                yield drawn
