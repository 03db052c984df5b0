"""The metrics that the gate computes from predictions, for slices and for the report."""

import math
import os
from collections.abc import Callable
from typing import Any

# On a shared node, threads that spin while they wait make scikit-learn several times slower. OpenMP reads this once,
# when scikit-learn is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
from sklearn import metrics as sklearn_metrics

LABEL_SCORE = 0.5  # a row with a higher score counts as positive

Values = np.ndarray[Any, np.dtype[Any]]
Metric = Callable[[Values, Values], float]


def _of_classes(metric: Callable[..., float]) -> Metric:
    """Return a metric that compares the label with the class, not with the score."""
    return lambda label, score: metric(label, score > LABEL_SCORE)


METRICS: dict[str, Metric] = {
    "accuracy": _of_classes(sklearn_metrics.accuracy_score),
    "brier": sklearn_metrics.brier_score_loss,
    "f1": _of_classes(sklearn_metrics.f1_score),
    "log_loss": lambda label, score: sklearn_metrics.log_loss(label, score, labels=[0, 1]),
    "pr_auc": sklearn_metrics.average_precision_score,
    "precision": _of_classes(sklearn_metrics.precision_score),
    "recall": _of_classes(sklearn_metrics.recall_score),
    "roc_auc": sklearn_metrics.roc_auc_score,
    "mae": sklearn_metrics.mean_absolute_error,
    "mape": sklearn_metrics.mean_absolute_percentage_error,
    "max_error": sklearn_metrics.max_error,
    "r2": sklearn_metrics.r2_score,
    "rmse": sklearn_metrics.root_mean_squared_error,
}

_ONE_CLASS = ("pr_auc", "precision", "recall", "f1", "roc_auc")
"""Metrics that say nothing about rows that are all positive or all negative."""


def measure(name: str, label: Values, predicted: Values) -> tuple[float | None, str]:
    """Return a metric, or None and the reason why it has no value."""
    if not len(label):
        return None, "there are no rows"
    for what, values in (("labels", label), ("predictions", predicted)):
        if not np.isfinite(values).all():
            return None, f"{int((~np.isfinite(values)).sum())} {what} are empty or not finite"
    if name in _ONE_CLASS and len(np.unique(label)) < 2:
        return None, f"all {len(label)} rows have the same label"
    try:
        value = float(METRICS[name](label, predicted))
    except ValueError as error:
        return None, str(error).partition("\n")[0]
    return (value, "") if math.isfinite(value) else (None, "it is not a finite number")
