"""The signals: data drift, prediction drift and data quality of each column, held against thresholds."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from distances import CATEGORICAL, NUMERICAL, P_VALUES

DATA_DRIFT, PREDICTION_DRIFT, DATA_QUALITY = "data_drift", "prediction_drift", "data_quality"
RATES = ("null_value_rate", "data_type_error_rate", "out_of_bounds_rate")


class ThresholdError(Exception):
    """The file of thresholds cannot be used. The message names the key and the fix."""


@dataclass(frozen=True)
class Limit:
    """A metric and its threshold."""

    metric: str
    threshold: float


@dataclass(frozen=True)
class DriftLimits:
    """The limits of one drift signal: by the kind of column, and those of single columns."""

    numerical: Limit
    categorical: Limit
    features: Mapping[str, Limit]
    ignore: frozenset[str]

    def of(self, column: str, *, is_number: bool) -> Limit:
        """Return the limit of a column."""
        return self.features.get(column) or (self.numerical if is_number else self.categorical)


@dataclass(frozen=True)
class Thresholds:
    """What `thresholds.yml` says."""

    minimum_rows: int
    data_drift: DriftLimits
    prediction_drift: DriftLimits
    reference_hours: float
    data_quality: Mapping[str, float]


@dataclass(frozen=True)
class Finding:
    """One metric of one column.

    Attributes:
        signal: `data_drift`, `prediction_drift` or `data_quality`.
        reference: For a rate, that of the reference. None for a distance.
        exceeded: Whether the metric passes its threshold.
    """

    signal: str
    feature: str
    metric: str
    value: float
    reference: float | None
    threshold: float
    exceeded: bool

    @property
    def name(self) -> str:
        """The name of the metric in MLflow, without the prefix `drift.`."""
        return f"{self.signal}.{self.feature}" + (f".{self.metric}" if self.signal == DATA_QUALITY else "")


def read_thresholds(file: Path) -> Thresholds:
    """Return the thresholds in a YAML file.

    Raises:
        ThresholdError: A key is missing or unknown, or a value is not usable.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        message = f"{file.name}: {error}"
        raise ThresholdError(message) from error
    _check_keys(content, "", required=("minimum_rows", DATA_DRIFT, PREDICTION_DRIFT, DATA_QUALITY))
    quality = content[DATA_QUALITY]
    _check_keys(quality, DATA_QUALITY, required=RATES)
    prediction = dict(content[PREDICTION_DRIFT]) if isinstance(content[PREDICTION_DRIFT], dict) else {}
    hours = _number(prediction.pop("reference_hours", None), f"{PREDICTION_DRIFT}.reference_hours")
    return Thresholds(
        minimum_rows=int(_number(content["minimum_rows"], "minimum_rows")),
        data_drift=_drift_limits(content[DATA_DRIFT], DATA_DRIFT),
        prediction_drift=_drift_limits(prediction, PREDICTION_DRIFT),
        reference_hours=hours,
        data_quality={rate: _number(quality[rate], f"{DATA_QUALITY}.{rate}") for rate in RATES},
    )


def drift(signal: str, reference: pd.DataFrame, window: pd.DataFrame, limits: DriftLimits) -> list[Finding]:
    """Return the distance of each column that both tables have. Empty values do not count."""
    found = []
    for column in reference.columns:
        if column not in window or column in limits.ignore:
            continue
        is_number = _is_number(reference[column])
        before, now = reference[column].dropna(), window[column].dropna()
        now = pd.to_numeric(now, errors="coerce").dropna() if is_number else now
        if before.empty or now.empty:
            continue  # the rate of empty values shows it
        limit = limits.of(column, is_number=is_number)
        metrics = NUMERICAL if is_number else CATEGORICAL
        if limit.metric not in metrics:
            message = f"thresholds.yml: {signal}.features.{column}: {limit.metric!r} is not for this kind of column"
            raise ThresholdError(f"{message}; use one of {', '.join(metrics)}")
        value = metrics[limit.metric](before, now)
        exceeded = value < limit.threshold if limit.metric in P_VALUES else value > limit.threshold
        found.append(Finding(signal, column, limit.metric, value, None, limit.threshold, exceeded))
    return found


def quality(reference: pd.DataFrame, window: pd.DataFrame, thresholds: Mapping[str, float]) -> list[Finding]:
    """Return the rates of empty, mistyped and out-of-bounds values. A column that is missing is empty everywhere."""
    found = []
    for column in reference.columns:
        now = window[column] if column in window else pd.Series([None] * len(window), dtype="object")
        before = _rates(reference[column], reference[column])
        for rate, value in _rates(reference[column], now).items():
            exceeded = value - before[rate] > thresholds[rate]
            found.append(Finding(DATA_QUALITY, column, rate, value, before[rate], thresholds[rate], exceeded))
    return found


def _rates(reference: "pd.Series[Any]", values: "pd.Series[Any]") -> dict[str, float]:
    present = values.dropna()
    if _is_number(reference):
        numbers = pd.to_numeric(present, errors="coerce")
        mistyped = numbers.isna() | present.map(lambda value: isinstance(value, str | bool))
        outside = ~mistyped & ~numbers.between(reference.min(), reference.max())
    else:
        mistyped = present.map(type) != reference.dropna().map(type).mode().iloc[0]
        outside = ~mistyped & ~present.isin(reference.dropna().unique())
    total = max(len(values), 1)
    counts = (len(values) - len(present), mistyped.sum(), outside.sum())
    return {rate: float(count) / total for rate, count in zip(RATES, counts, strict=True)}


def _is_number(column: "pd.Series[Any]") -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _drift_limits(content: Any, where: str) -> DriftLimits:
    _check_keys(content, where, required=("numerical", "categorical"), optional=("features", "ignore"))
    features, every = content.get("features") or {}, (*NUMERICAL, *CATEGORICAL)
    _check_keys(features, f"{where}.features", optional=tuple(features) if isinstance(features, dict) else ())
    return DriftLimits(
        numerical=_limit(content["numerical"], f"{where}.numerical", tuple(NUMERICAL)),
        categorical=_limit(content["categorical"], f"{where}.categorical", tuple(CATEGORICAL)),
        features={name: _limit(each, f"{where}.features.{name}", every) for name, each in features.items()},
        ignore=frozenset(content.get("ignore") or ()),
    )


def _limit(content: Any, where: str, metrics: tuple[str, ...]) -> Limit:
    _check_keys(content, where, required=("metric", "threshold"))
    if content["metric"] not in metrics:
        message = f"thresholds.yml: {where}.metric: unknown metric {content['metric']!r}"
        raise ThresholdError(f"{message}; use one of {', '.join(sorted(set(metrics)))}")
    return Limit(content["metric"], _number(content["threshold"], f"{where}.threshold"))


def _check_keys(content: Any, where: str, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()) -> None:
    place = f"thresholds.yml: {where}" if where else "thresholds.yml"
    if not isinstance(content, dict):
        message = f"{place}: must be a mapping with the keys {', '.join((*required, *optional))}"
        raise ThresholdError(message)
    for key in required:
        if key not in content:
            message = f"{place}: add the key {key!r}"
            raise ThresholdError(message)
    for key in content:
        if key not in (*required, *optional):
            message = f"{place}: unknown key {key!r}; the keys are {', '.join((*required, *optional))}"
            raise ThresholdError(message)


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        message = f"thresholds.yml: {where}: must be a number that is not negative, not {value!r}"
        raise ThresholdError(message)
    return float(value)
