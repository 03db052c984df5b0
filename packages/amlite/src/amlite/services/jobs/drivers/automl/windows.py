"""Forecasting with windows: a network sees the steps before a point in time, and forecasts the horizon after it.

The steps are those of the frequency. A gap in a series is filled from the step before. The target is scaled by its
series, and each window by its own level, so that a series may grow beyond what the training saw.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
from sklearn.pipeline import Pipeline  # type: ignore[import-untyped]

from . import algorithms
from .algorithms import Candidate
from .forecasting import Forecaster
from .preparing import preparation
from .reading import SEED, Json

# What is learnt from. Of more examples, a part is drawn.
_MOST_EXAMPLES = 4096
# The last steps of a series are held out to end the training: a tenth of them, but at most some horizons.
_HELD_SHARE, _MOST_HORIZONS_HELD, _FEWEST_HORIZONS = 10, 4, 5


@dataclass(frozen=True)
class Line:
    """A series as steps of the frequency: the scaled target where it is known, and the features of each step."""

    first: pd.Timestamp
    values: Any
    features: Any
    centre: float
    width: float


@dataclass
class _Wanted:
    """The rows of one series that a prediction is for: their places among the steps, and the place of the next one."""

    line: Line
    known: int
    places: Any
    index: Any
    next: int


def forecaster(settings: Json, candidate: Candidate) -> WindowForecaster:
    """Return a candidate's forecaster, not fitted."""
    model = (algorithms.scaler(candidate), algorithms.estimator(settings["task"], candidate, settings["cores"]))
    return WindowForecaster(settings["forecasting"], settings["featurization"], candidate.algorithm, model)


class WindowForecaster(Forecaster):
    """Predicts rows as a forecaster does. Beyond the horizon, it continues from its own predictions."""

    def fit(self, rows: pd.DataFrame, truth: Any) -> WindowForecaster:
        """Learn from every window of each series that has something to predict after it."""
        rows = self._in_time(rows)
        values = pd.Series(np.asarray(truth, dtype=float), index=rows.index)
        self.shared_ = (float(values.mean()), float(values.std(ddof=0)) or 1.0)
        grids = {}
        for key, part in self._series(rows):
            first = part[self.settings["time"]].min()
            places = self._places(first, part)
            grids[key] = (first, *(_filled(each, places, 0) for each in (part, values[part.index])))
            grids[key][1][self.settings["time"]] = self._steps(first, part[self.settings["time"]].max())
        known = self._known(pd.concat([grid for _, grid, _ in grids.values()], ignore_index=True))
        scale, network = self.model
        prepare = preparation(self._featurization(known), known)
        self.pipeline_ = Pipeline([("prepare", prepare), ("scale", scale)]).fit(known)
        self.network_ = network
        self.lines_ = {}
        for key, (first, grid, target) in grids.items():
            centre, width = float(target.mean()), float(target.std(ddof=0)) or 1.0
            scaled = ((target - centre) / width).to_numpy("float32")
            self.lines_[key] = Line(first, scaled, self._numbers(grid), centre, width)
        origins = [self._origins(line) for line in self.lines_.values()]
        share, source = _MOST_EXAMPLES / sum(map(len, origins)), np.random.default_rng(SEED)
        if share < 1:
            origins = [np.sort(source.choice(each, math.ceil(share * len(each)), replace=False)) for each in origins]
        parts = [self._examples(line, each) for line, each in zip(self.lines_.values(), origins, strict=True)]
        self.network_.fit(*(np.concatenate(each) for each in zip(*parts, strict=True)))
        return self

    def predict(self, rows: pd.DataFrame) -> Any:
        """Return a value for each row: one horizon after the other, each for all series at once."""
        rows = self._in_time(rows).reset_index(drop=True)
        found, horizon = np.zeros(len(rows)), self.settings["horizon"]
        wanted = []
        for key, part in self._series(rows):
            line, places = self._with_rows(key, part)
            wanted.append(_Wanted(line, len(line.values), places, part.index, int(places.min())))
            missing = max(0, int(places.max()) + 1 - len(line.values))
            wanted[-1].line = replace(line, values=np.append(line.values, np.zeros(missing, "float32")))
        while wanted:
            origins = [min(each.next, each.known) for each in wanted]
            windows = [self._windows(each.line, np.array([origin]))
                       for each, origin in zip(wanted, origins, strict=True)]  # fmt: skip
            past, ahead, level = (np.concatenate(parts) for parts in zip(*windows, strict=True))
            steps = self.network_.predict(past, ahead) + level[:, None]
            for each, origin, values in zip(wanted, origins, steps, strict=True):
                reached = (each.places >= origin) & (each.places < origin + horizon)
                scaled = values[each.places[reached] - origin]
                found[each.index[reached]] = scaled * each.line.width + each.line.centre
                end = min(origin + horizon, len(each.line.values))
                if end > each.known:
                    each.line.values[each.known : end] = values[each.known - origin : end - origin]
                    each.known = end
                later = each.places[each.places >= origin + horizon]
                each.next = int(later.min()) if len(later) else -1
            wanted = [each for each in wanted if each.next >= 0]
        return found

    def knowing(self, rows: pd.DataFrame, truth: Any) -> WindowForecaster:
        """Return the same model with more of the past."""
        rows = self._in_time(rows).reset_index(drop=True)
        known, truth = copy.copy(self), np.asarray(truth, dtype=float)
        known.lines_ = dict(self.lines_)
        for key, part in self._series(rows):
            line, places = self._with_rows(key, part)
            values = np.append(line.values, np.full(max(0, int(places.max()) + 1 - len(line.values)), np.nan))
            values[places] = (truth[part.index] - line.centre) / line.width
            known.lines_[key] = replace(line, values=pd.Series(values).ffill().to_numpy("float32"))
        return known

    def _steps(self, first: pd.Timestamp, last: pd.Timestamp) -> pd.DatetimeIndex:
        """Return the points in time of a series. The first one need not be one of the frequency."""
        found = pd.date_range(first, last, freq=self.settings["step"])
        return found if len(found) and found[0] == first else found.insert(0, first)

    def _places(self, first: pd.Timestamp, rows: pd.DataFrame) -> Any:
        """Return the step of each row."""
        times = rows[self.settings["time"]]
        return (self._steps(first, max(first, times.max())).searchsorted(times, side="right") - 1).clip(0)

    def _with_rows(self, key: Any, rows: pd.DataFrame) -> tuple[Line, Any]:
        """Return a series with the features of some rows, and the places of the rows.

        A series that the training did not have begins with the mean of all.
        """
        line, times = self.lines_.get(key), rows[self.settings["time"]]
        step = pd.tseries.frequencies.to_offset(self.settings["step"])
        if line is None:
            line = Line(times.min() - step, np.zeros(1, "float32"), None, *self.shared_)
        places = self._places(line.first, rows)
        begin = 0 if line.features is None else min(int(places.min()), len(line.features))
        grid = _filled(rows, places, begin)
        grid[self.settings["time"]] = self._steps(line.first, max(line.first, times.max()))[begin:]
        features = self._numbers(grid)
        if line.features is not None:
            end = begin + len(features)
            features = np.concatenate([line.features[:begin], features, line.features[end:]])
        return replace(line, features=features), places

    def _numbers(self, rows: pd.DataFrame) -> Any:
        return np.asarray(self.pipeline_.transform(self._known(rows)), dtype="float32")

    def _origins(self, line: Line) -> Any:
        """Return the steps that have enough before them to learn from: a whole window, or half of a short series."""
        count = len(line.values)
        return np.arange(min(self.network_.sight, max(1, count // 2)), count)

    def _examples(self, line: Line, origins: Any) -> tuple[Any, ...]:
        """Return the windows to learn from, what follows each, which of it counts, and which windows are held out."""
        count, horizon = len(line.values), self.settings["horizon"]
        past, ahead, level = self._windows(line, origins)
        after = origins[:, None] + np.arange(horizon)
        truth = line.values[after.clip(max=count - 1)] - level[:, None]
        share = max(horizon, min(count // _HELD_SHARE, _MOST_HORIZONS_HELD * horizon))
        cut = count - share if count >= _FEWEST_HORIZONS * horizon else count
        held = origins >= cut
        return past, ahead, truth, (after < count) & (held[:, None] | (after < cut)), held

    def _windows(self, line: Line, origins: Any) -> tuple[Any, Any, Any]:
        """Return what is known before some origins, what is known of the steps after them, and the level before them.

        Of a step, the features are known, and of its lags and its rolling window what lies before the origin.
        """
        values, features, settings = line.values, line.features, self.settings
        before = origins[:, None] - np.arange(self.network_.sight, 0, -1)
        marks = (before >= 0).astype("float32")
        last = values[before.clip(0)] * marks
        season = min(settings["season"], self.network_.sight)
        level = last[:, -season:].sum(axis=1) / np.maximum(marks[:, -season:].sum(axis=1), 1)
        signals = np.stack([(last - level[:, None]) * marks, marks], axis=-1)
        past = np.concatenate([signals, features[before.clip(0)] * marks[:, :, None]], axis=-1)
        after = origins[:, None] + np.arange(settings["horizon"])
        ahead = [features[after.clip(max=len(features) - 1)]]
        window = settings["window"] or 0
        for backs in [*([lag] for lag in settings["lags"]), *([range(1, window + 1)] if window else [])]:
            places = after[:, :, None] - np.array(backs)
            known = (places >= 0) & (places < origins[:, None, None])
            seen = np.where(known, values[places.clip(0, len(values) - 1)] - level[:, None, None], np.nan)
            ahead += [_known(how, seen) for how in ((np.mean, np.min, np.max) if len(backs) > 1 else (np.mean,))]
        return past.astype("float32"), np.concatenate(ahead, axis=-1).astype("float32"), level


def _known(how: Any, seen: Any) -> Any:
    """Return the mean, least or greatest of what is known, and 0, which is the level, where nothing is."""
    masked = np.ma.masked_invalid(seen)
    return how(masked, axis=-1).filled(0.0)[:, :, None]


def _filled(rows: Any, places: Any, begin: int) -> Any:
    """Return a row for each step from `begin` to the last: the one at the step, or the one before it."""
    order = np.argsort(places, kind="stable")
    wanted = np.arange(begin, int(places.max()) + 1)
    source = (np.searchsorted(places[order], wanted, side="right") - 1).clip(0)
    return rows.iloc[order[source]].reset_index(drop=True)
