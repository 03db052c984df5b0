"""Forecasting: a regression on what is known of a time series before each point in time.

The features are the calendar, the series, the other columns, and with lags or a rolling window the target's own
past. Points in time that follow each other are predicted one after the other, each with the predictions before it.
"""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
from sklearn.base import BaseEstimator  # type: ignore[import-untyped]
from sklearn.pipeline import Pipeline  # type: ignore[import-untyped]

from . import algorithms
from .algorithms import Candidate
from .preparing import preparation
from .reading import Fold, Json, SearchError

SIMPLE = ("Naive", "SeasonalNaive", "Average", "SeasonalAverage")
_SEASONS = {"H": 24, "D": 7, "B": 5, "W": 52, "M": 12, "MS": 12, "ME": 12, "Q": 4, "QS": 4, "QE": 4}
_FOLDS = 3
_STRETCH, _MOST_STRETCHES = 10, 200  # what the frequency of times with gaps is looked for in
_YEARS_AHEAD = 10  # whose holidays a model knows


def prepared(given: Json, tables: dict[str, pd.DataFrame], target: str) -> tuple[Json, dict[str, pd.DataFrame]]:
    """Return the settings with everything that is `auto` decided, and the tables in the order of time."""
    time, series = given["time"], given["series"]
    found = {}
    for name, table in tables.items():
        moments = pd.to_datetime(table[time], errors="coerce")
        if moments.isna().any():
            raise SearchError(f"time_column_name: {name} has values in '{time}' that are not points in time")
        ordered = table.drop(columns=given["unknown"]).assign(**{time: moments})
        if given["aggregate"]:
            ordered = _aggregated(given, ordered, target)
        found[name] = ordered.sort_values([*series, time], ignore_index=True)
    train = found["training_data"]
    if train.duplicated([*series, time]).any():
        fix = "name the columns of the series, or set target_aggregate_function and frequency"
        raise SearchError(f"time_series_id_column_names: two rows have the same time in one series; {fix}")
    step = given["frequency"] or _frequency(train, time, series)
    season = given["season"] or _SEASONS.get(str(step).partition("-")[0].upper().lstrip("0123456789"), 1)
    settings = {
        **given,
        "step": step,
        "season": season,
        "horizon": given["horizon"] or max(1, season),
        "lags": sorted({1, season}) if given["lags"] == "auto" else given["lags"],
        "window": season if given["window"] == "auto" else given["window"],
        "holidays": _holidays(given["country"], train[time]),
    }
    found["training_data"] = _long_enough(settings, train)
    return settings, found


def _holidays(country: str | None, moments: pd.Series) -> dict[str, str]:
    """Return the names of a country's holidays by date, as a part of the model."""
    if not country:
        return {}
    import holidays  # type: ignore[import-not-found]

    years = range(moments.min().year, moments.max().year + _YEARS_AHEAD + 1)
    try:
        found = holidays.country_holidays(country.upper(), years=years)
    except NotImplementedError as error:
        raise SearchError(f"country_or_region_for_holidays: {error}") from error
    return {str(day): str(name) for day, name in found.items()}


def _frequency(train: pd.DataFrame, time: str, series: list[str]) -> str:
    first = next(iter(train.groupby(series, sort=False)))[1] if series else train
    moments = pd.DatetimeIndex(first[time])
    found = pd.infer_freq(moments) if len(moments) > 2 else None
    found = found or _frequency_with_gaps(moments)
    if found is None:
        raise SearchError("the frequency of the times is not regular; set frequency, such as D for days")
    return str(found)


def _frequency_with_gaps(moments: pd.DatetimeIndex) -> str | None:
    """Return the frequency that most stretches have, if the other moments are some steps of it apart."""
    begins = range(0, len(moments) - _STRETCH + 1, max(1, len(moments) // _MOST_STRETCHES))
    stretches = Counter(pd.infer_freq(moments[begin : begin + _STRETCH]) for begin in begins)
    for found, _ in stretches.most_common():
        if found and moments.isin(pd.date_range(moments[0], moments[-1], freq=found)).all():
            return str(found)
    return None


def _aggregated(given: Json, table: pd.DataFrame, target: str) -> pd.DataFrame:
    keys = [*given["series"], pd.Grouper(key=given["time"], freq=given["frequency"])]
    how = {name: "mean" if pd.api.types.is_numeric_dtype(table[name]) else "first"
           for name in table if name not in (*given["series"], given["time"], target)}  # fmt: skip
    return table.groupby(keys).agg({**how, target: given["aggregate"]}).reset_index()


def _long_enough(settings: Json, train: pd.DataFrame) -> pd.DataFrame:
    """Return the series that are long enough for the folds, as short_series_handling_config says."""
    needed = settings["horizon"] + (_count(settings) - 1) * (settings["stride"] or settings["horizon"]) + 2
    if not settings["series"]:
        if len(train) < needed:
            raise SearchError(f"the series has {len(train)} rows; the horizon and the folds need {needed}")
        return train
    sizes = train.groupby(settings["series"])[settings["time"]].transform("size")
    if (sizes < needed).all():
        raise SearchError(f"every series is shorter than the {needed} rows that the horizon and the folds need")
    if (sizes < needed).any() and settings["short"] == "none":
        raise SearchError(f"short_series_handling_config is none, and a series has fewer than {needed} rows")
    return train[sizes >= needed].reset_index(drop=True)


def _count(settings: Json) -> int:
    return int(settings["folds"] or _FOLDS)


def folds(settings: Json, train: pd.DataFrame) -> list[Fold]:
    """Return divisions with the training before the validation: their origins roll to the end of the series."""
    horizon, stride = settings["horizon"], settings["stride"] or settings["horizon"]
    after = train.groupby(settings["series"]).cumcount(ascending=False) if settings["series"] else None
    left = np.arange(len(train))[::-1] if after is None else after.to_numpy()
    found = []
    for number in reversed(range(_count(settings))):
        end = number * stride
        found.append((np.flatnonzero(left >= end + horizon), np.flatnonzero((left >= end) & (left < end + horizon))))
    return found


def rolled(settings: Json, model: Any, rows: pd.DataFrame, truth: Any) -> Any:
    """Predict each horizon of rows with the true values before it, as a forecaster is used."""
    series = settings["series"]
    order = rows.groupby(series).cumcount().to_numpy() if series else np.arange(len(rows))
    blocks, found = order // settings["horizon"], np.zeros(len(rows))
    for block in range(int(blocks.max()) + 1):
        positions = np.flatnonzero(blocks == block)
        found[positions] = model.predict(rows.iloc[positions])
        model = model.knowing(rows.iloc[positions], truth[positions])
    return found


def forecaster(settings: Json, candidate: Candidate) -> Forecaster:
    """Return a candidate's forecaster, not fitted."""
    model = None
    if candidate.algorithm not in SIMPLE:
        model = (algorithms.scaler(candidate), algorithms.estimator(settings["task"], candidate, settings["cores"]))
    return Forecaster(settings["forecasting"], settings["featurization"], candidate.algorithm, model)


class Forecaster(BaseEstimator):  # type: ignore[misc]
    """Predicts the rows of a table with the columns of the training, without the target."""

    def __init__(self, settings: Json, featurization: Json, algorithm: str, model: Any) -> None:
        self.settings = settings
        self.featurization = featurization
        self.algorithm = algorithm
        self.model = model

    def fit(self, rows: pd.DataFrame, truth: Any) -> Forecaster:
        """Keep each series' past, and fit the regression on the features."""
        rows = self._in_time(rows)
        self.past_ = {}
        values = pd.Series(np.asarray(truth, dtype=float), index=rows.index)
        for key, part in self._series(rows):
            self.past_[key] = dict(zip(part[self.settings["time"]], values[part.index], strict=True))
        if self.model is not None:
            features = self._features(rows, self.past_)
            scale, estimator = self.model
            self.pipeline_ = Pipeline([
                ("prepare", preparation(self._featurization(features), features)),
                ("scale", scale), ("model", estimator),
            ]).fit(features, values.loc[features.index].to_numpy())  # fmt: skip
        return self

    def predict(self, rows: pd.DataFrame) -> Any:
        """Return a value for each row. A row may depend on the predictions of the rows before it."""
        rows = self._in_time(rows).reset_index(drop=True)
        if self.model is None:
            return np.array([self._simple(key, time) for key, time in self._keys(rows)])
        if not self.settings["lags"] and not self.settings["window"]:
            return np.asarray(self.pipeline_.predict(self._features(rows, self.past_)), dtype=float)
        past = {key: dict(values) for key, values in self.past_.items()}
        found = np.zeros(len(rows))
        for _, part in rows.groupby(self.settings["time"], sort=True):
            found[part.index] = self.pipeline_.predict(self._features(part, past))
            for (key, time), value in zip(self._keys(part), found[part.index], strict=True):
                past.setdefault(key, {}).setdefault(time, value)
        return found

    def knowing(self, rows: pd.DataFrame, truth: Any) -> Forecaster:
        """Return the same model with more of the past."""
        known = copy.copy(self)
        known.past_ = {key: dict(values) for key, values in self.past_.items()}
        for (key, time), value in zip(self._keys(self._in_time(rows)), np.asarray(truth, dtype=float), strict=True):
            known.past_.setdefault(key, {})[time] = value
        return known

    def _in_time(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the rows with points in time, and with gaps filled from the row before where the settings say so."""
        found = rows.assign(**{self.settings["time"]: pd.to_datetime(rows[self.settings["time"]])})
        if forward := [name for name in self.settings["forward"] if name in found]:
            ordered = found.sort_values(self.settings["time"], kind="stable")
            series = [ordered[name].astype(str) for name in self.settings["series"]]
            found[forward] = (ordered.groupby(series) if series else ordered)[forward].ffill()
        return found

    def _keys(self, rows: pd.DataFrame) -> list[tuple[Any, Any]]:
        times = rows[self.settings["time"]]
        if not self.settings["series"]:  # a table without columns has no rows
            return [((), time) for time in times]
        named = rows[self.settings["series"]].astype(str).itertuples(index=False, name=None)
        return list(zip(named, times, strict=True))

    def _series(self, rows: pd.DataFrame) -> Any:
        names = self.settings["series"]
        if not names:
            return [((), rows)]
        return list(rows.groupby([rows[name].astype(str) for name in names]))

    def _featurization(self, features: pd.DataFrame) -> Json:
        kinds = dict.fromkeys(
            [*self.settings["series"], *(["_holiday"] if "_holiday" in features else [])], "Categorical"
        )
        given = {name: kind for name, kind in self.featurization["columns"].items() if name in features}
        return {**self.featurization, "columns": {**kinds, **given}}

    def _known(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return what is known of a point in time in the future: its other columns, and the calendar."""
        moments = rows[self.settings["time"]].dt
        found = rows.drop(columns=[self.settings["time"]]).assign(
            _year=moments.year, _quarter=moments.quarter, _month=moments.month, _day=moments.day,
            _weekday=moments.dayofweek, _hour=moments.hour,
            _trend=rows[self.settings["time"]].astype("int64") / 1e18,
        )  # fmt: skip
        if self.settings["holidays"]:
            found["_holiday"] = [
                self.settings["holidays"].get(str(time.date()), "") for time in rows[self.settings["time"]]
            ]
        return found

    def _features(self, rows: pd.DataFrame, past: Json) -> pd.DataFrame:
        found = self._known(rows)
        step, keys = pd.tseries.frequencies.to_offset(self.settings["step"]), self._keys(rows)
        for lag in self.settings["lags"]:
            found[f"_lag_{lag}"] = [past.get(key, {}).get(time - lag * step, np.nan) for key, time in keys]
        if window := self.settings["window"]:
            before = [[past.get(key, {}).get(time - back * step, np.nan) for back in range(1, window + 1)]
                      for key, time in keys]  # fmt: skip
            for name in ("mean", "min", "max"):
                found[f"_window_{name}"] = getattr(pd.DataFrame(before, index=rows.index), name)(axis=1)
        return found

    def _simple(self, key: Any, time: Any) -> float:
        values = {when: value for when, value in self.past_.get(key, {}).items() if when < time}
        if not values:
            every = [value for series in self.past_.values() for value in series.values()]
            return float(np.mean(every))
        season, ordered = self.settings["season"], [values[when] for when in sorted(values)]
        step = pd.tseries.frequencies.to_offset(self.settings["step"])
        ahead = max(1, len(pd.date_range(max(values), time, freq=step)) - 1)
        if self.algorithm == "Naive":
            return float(ordered[-1])
        if self.algorithm == "Average":
            return float(np.mean(ordered))
        same = ordered[::-1][(-ahead) % season :: season] or ordered[-1:]
        return float(same[0] if self.algorithm == "SeasonalNaive" else np.mean(same))
