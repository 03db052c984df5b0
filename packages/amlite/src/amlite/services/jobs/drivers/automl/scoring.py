"""The metrics of a model, by the names that Azure ML logs."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
from sklearn import metrics  # type: ignore[import-untyped]

_AVERAGES = ("macro", "micro", "weighted")


def is_smaller_better(metric: str) -> bool:
    """Return whether a smaller value of a primary metric is better."""
    return metric.endswith("_error")


def scores(model: Any, rows: Any, truth: Any, weights: Any = None, positive: Any = None) -> dict[str, float]:
    """Return the metrics of a fitted model on some rows. Leave out those that these rows do not allow."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if hasattr(model, "classes_"):
            return _finite(_classification(model, rows, np.asarray(truth), weights, positive))
        return differences(truth, model.predict(rows), weights)


def differences(truth: Any, predicted: Any, weights: Any = None) -> dict[str, float]:
    """Return the metrics of predicted numbers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _finite(_regression(np.asarray(truth, dtype=float), np.asarray(predicted, dtype=float), weights))


def _finite(found: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in found.items() if np.isfinite(value)}


def _regression(truth: Any, predicted: Any, weights: Any) -> dict[str, Any]:
    given = {"sample_weight": weights}
    width = float(np.max(truth) - np.min(truth)) or 1.0
    root = metrics.mean_squared_error(truth, predicted, **given) ** 0.5
    mean = metrics.mean_absolute_error(truth, predicted, **given)
    median = metrics.median_absolute_error(truth, predicted, **given)
    found = {
        "explained_variance": metrics.explained_variance_score(truth, predicted, **given),
        "mean_absolute_error": mean,
        "median_absolute_error": median,
        "normalized_mean_absolute_error": mean / width,
        "normalized_median_absolute_error": median / width,
        "normalized_root_mean_squared_error": root / width,
        "r2_score": metrics.r2_score(truth, predicted, **given) if len(truth) > 1 else np.nan,
        "root_mean_squared_error": root,
        "spearman_correlation": pd.Series(truth).rank().corr(pd.Series(predicted).rank()),
    }
    if np.all(truth != 0):
        found["mean_absolute_percentage_error"] = 100 * metrics.mean_absolute_percentage_error(
            truth, predicted, **given
        )
    return found


def _classification(model: Any, rows: Any, truth: Any, weights: Any, positive: Any) -> dict[str, Any]:
    labels, predicted = list(model.classes_), model.predict(rows)
    given = {"sample_weight": weights}
    chance = 1 / len(labels)
    balanced = metrics.recall_score(truth, predicted, average="macro", zero_division=0, **given)
    found = {
        "accuracy": metrics.accuracy_score(truth, predicted, **given),
        "balanced_accuracy": balanced,
        "matthews_correlation": metrics.matthews_corrcoef(truth, predicted, **given),
        "norm_macro_recall": max(0.0, (balanced - chance) / (1 - chance)) if len(labels) > 1 else np.nan,
    }
    of_labels = {"f1_score": metrics.f1_score, "precision_score": metrics.precision_score,
                 "recall_score": metrics.recall_score}  # fmt: skip
    for name, score in of_labels.items():
        found |= {f"{name}_{how}": score(truth, predicted, average=how, zero_division=0, **given) for how in _AVERAGES}
        if positive is not None:
            found[f"{name}_binary"] = np.average(
                score(truth, predicted, labels=[positive], average="macro", zero_division=0, **given)
            )
    if len(labels) > 1 and set(truth) == set(labels):
        found |= _of_chances(model.predict_proba(rows), truth, labels, weights, positive)
    return found


def _of_chances(chances: Any, truth: Any, labels: list[Any], weights: Any, positive: Any) -> dict[str, Any]:
    given = {"sample_weight": weights}
    hits = np.column_stack([truth == label for label in labels])
    shares = np.average(hits, axis=0, weights=weights)
    columns = range(len(labels))
    auc = np.array([metrics.roc_auc_score(hits[:, column], chances[:, column], **given) for column in columns])
    precision = np.array([metrics.average_precision_score(hits[:, column], chances[:, column], **given)
                          for column in columns])  # fmt: skip
    found = {
        "AUC_macro": auc.mean(),
        "AUC_weighted": shares @ auc,
        "average_precision_score_macro": precision.mean(),
        "average_precision_score_weighted": shares @ precision,
        "log_loss": metrics.log_loss(truth, chances, labels=labels, **given),
    }
    if positive is not None:
        found |= {"AUC_binary": auc[labels.index(positive)]}
        found |= {"average_precision_score_binary": precision[labels.index(positive)]}
    return found
