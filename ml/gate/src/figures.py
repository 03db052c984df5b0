"""The figures of the report, as PNG files."""

import io
import math
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# The home folder of a job may be read-only, and Matplotlib writes its list of fonts there.
os.environ.setdefault("MPLCONFIGDIR", os.path.join(tempfile.gettempdir(), "matplotlib"))  # noqa: PTH118

import matplotlib as mpl

mpl.use("Agg")

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from predictions import Predictions
from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import PrecisionRecallDisplay, PredictionErrorDisplay, RocCurveDisplay

_NEW, _CHAMPION, _FAILED = "tab:blue", "tab:gray", "tab:red"
_BINS = 10
_MAX_POINTS = 2000
"""Residuals and curves are drawn with at most this many points."""


@dataclass(frozen=True)
class Picture:
    """One figure: the name of its file, its title, and the PNG."""

    name: str
    title: str
    png: bytes


@dataclass(frozen=True)
class Version:
    """A registered version, with the metrics in its tags."""

    version: str
    metrics: Mapping[str, float]


def draw(predictions: Predictions, decision: Mapping[str, Any], history: Sequence[Version]) -> list[Picture]:
    """Return the figures of a decision. A figure without data is left out."""
    models = _models(predictions)
    if predictions.task == "classification":
        curves = [("roc", "ROC curve", _roc), ("precision_recall", "Precision and recall", _precision_recall)]
        wanted = [*curves, ("calibration", "Calibration", _calibration)] if _both_labels(models) else []
    else:
        wanted = [("residuals", "Residuals", _residuals), ("calibration", "Calibration", _means)] if models else []
    pictures = [_picture(name, title, draw_on, models) for name, title, draw_on in wanted]
    if slices := [check for check in decision["checks"] if check["slice"] and check["value"] is not None]:
        pictures.append(_picture("slices", "Slices", _slices, slices, rows=len(slices)))
    metrics = list(dict.fromkeys(check["metric"] for check in decision["checks"]))
    drawn = [metric for metric in metrics if any(metric in version.metrics for version in history)]
    if drawn:
        current = Version("new", {name: value for name, value in decision["metrics"].items() if value is not None})
        pictures.append(_picture("history", "Registered versions", _history, drawn, [*history, current]))
    return pictures


_Models = dict[str, tuple[Any, Any, str]]


def _models(predictions: Predictions) -> _Models:
    """Return label, prediction and colour of each model, without rows that have no finite value."""
    found: _Models = {}
    columns = {"new model": (predictions.predicted, _NEW)}
    if predictions.champion is not None and predictions.champion_predicted is not None:
        columns[f"version {predictions.champion.version}"] = (predictions.champion_predicted, _CHAMPION)
    for name, (predicted, colour) in columns.items():
        usable = np.isfinite(predictions.label) & np.isfinite(predicted)
        if usable.any():
            found[name] = (predictions.label[usable], predicted[usable], colour)
    return found


def _both_labels(models: _Models) -> bool:
    return bool(models) and all(len(np.unique(label)) == 2 for label, _, _ in models.values())


def _picture(name: str, title: str, draw_on: Callable[..., None], *values: Any, rows: int = 0) -> Picture:
    figure = Figure(figsize=(5.2, max(4.0, 0.24 * rows + 1.2)), layout="constrained")
    axes = figure.add_subplot()
    draw_on(axes, *values)
    axes.set_title(title)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100)
    return Picture(name, title, content.getvalue())


def _roc(axes: Axes, models: _Models) -> None:
    for name, (label, score, colour) in models.items():
        RocCurveDisplay.from_predictions(label, score, ax=axes, name=name, curve_kwargs={"color": colour})
    axes.plot([0, 1], [0, 1], color="lightgray", linestyle="--")


def _precision_recall(axes: Axes, models: _Models) -> None:
    for name, (label, score, colour) in models.items():
        PrecisionRecallDisplay.from_predictions(
            label, score, ax=axes, name=name, curve_kwargs={"color": colour}, drop_intermediate=True
        )


def _calibration(axes: Axes, models: _Models) -> None:
    for name, (label, score, colour) in models.items():
        clipped = np.clip(score, 0, 1)
        CalibrationDisplay.from_predictions(
            label, clipped, n_bins=_BINS, strategy="quantile", ax=axes, name=name, color=colour
        )
    axes.set(xlabel="mean score", ylabel="share of positive rows")


def _residuals(axes: Axes, models: _Models) -> None:
    for name, (label, predicted, colour) in reversed(models.items()):
        PredictionErrorDisplay.from_predictions(
            label, predicted, kind="residual_vs_predicted", subsample=min(_MAX_POINTS, len(label)), random_state=0,
            ax=axes, scatter_kwargs={"color": colour, "alpha": 0.4, "s": 8, "label": name},
        )  # fmt: skip
    axes.legend()


def _means(axes: Axes, models: _Models) -> None:
    """Draw the mean label against the mean prediction, in bins of as many rows."""
    for name, (label, predicted, colour) in models.items():
        order = np.argsort(predicted, kind="stable")
        bins = [part for part in np.array_split(order, _BINS) if len(part)]
        means = [(predicted[part].mean(), label[part].mean()) for part in bins]
        axes.plot(*zip(*means, strict=True), marker="s", color=colour, label=name)
    low, high = axes.get_xlim()
    axes.plot([low, high], [low, high], color="lightgray", linestyle="--")
    axes.set(xlabel="mean prediction", ylabel="mean label")
    axes.legend()


def _slices(axes: Axes, checks: Sequence[Mapping[str, Any]]) -> None:
    marks = (("value", "o", _NEW), ("refused", "o", _FAILED), ("champion", "D", _CHAMPION), ("threshold", "x", "black"))
    for key, marker, colour in marks:
        points = [(_marked(check, key), place) for place, check in enumerate(checks) if _marked(check, key) is not None]
        if points:
            name = "registered version" if key == "champion" else key
            axes.plot(*zip(*points, strict=True), marker, color=colour, label=name)
    axes.set_yticks(range(len(checks)), [_plain(f"{check['metric']}  {check['slice']}") for check in checks])
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.legend()


def _marked(check: Mapping[str, Any], key: str) -> float | None:
    """Return where a check has a mark. Its value is one of two marks, by whether the check passed."""
    if key in ("value", "refused"):
        value: float | None = check["value"] if check["passed"] is (key == "value") else None
        return value
    other: float | None = check[key]
    return other


def _history(axes: Axes, metrics: Sequence[str], versions: Sequence[Version]) -> None:
    names = [version.version for version in versions]
    for metric in metrics:
        values = [version.metrics.get(metric, math.nan) for version in versions]
        axes.plot(range(len(names)), values, marker="o", label=_plain(metric))
    axes.set_xticks(range(len(names)), [_plain(name) for name in names])
    axes.set_xlabel("version")
    axes.legend()


def _plain(text: str) -> str:
    """Return text that Matplotlib does not read as a formula, in one line."""
    return " ".join(text.split()).replace("$", r"\$")[:60]
