"""The windows that a network of AutoML learns from, and the forecasts made of its answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from amlite.services.jobs import automl_task
from amlite.services.jobs.drivers.automl import algorithms, forecasting, windows

# The driver has a pandas of its own, which is older.
pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")
DAYS = pd.date_range("2024-01-01", periods=40, freq="D")


class Repeating:
    """In place of a network: a step is the one a week before. It keeps what it is given."""

    sight = 7

    def fit(self, past: Any, ahead: Any, truth: Any, marks: Any, held: Any) -> None:
        self.past, self.ahead, self.truth, self.marks, self.held = past, ahead, truth, marks, held

    def predict(self, past: Any, ahead: Any) -> Any:
        return past[:, np.arange(ahead.shape[1]) % self.sight, 0]


def fitted(rows: pd.DataFrame, horizon: int = 3, **given: Any) -> windows.WindowForecaster:
    details = {"taskType": "Forecasting", "targetColumnName": "y", "forecastingSettings": {
        "timeColumnName": "day", "frequency": "D", "forecastHorizon": {"mode": "Custom", "value": horizon}, **given,
    }}  # fmt: skip
    settings = automl_task.search(details, nodes=1, cores=1)
    settings["forecasting"], tables = forecasting.prepared(settings["forecasting"], {"training_data": rows}, "y")
    model = ("passthrough", Repeating())
    found = windows.WindowForecaster(settings["forecasting"], settings["featurization"], "TCNForecaster", model)
    return found.fit(tables["training_data"].drop(columns="y"), tables["training_data"]["y"])


def test_twelve_networks_are_tried_among_the_other_candidates() -> None:
    names = ["LightGBM", "TCNForecaster"]
    tried = [each.algorithm for each in algorithms.candidates("forecasting", names)]
    assert (tried[:2], tried.count("TCNForecaster")) == (names, 12)
    assert tried.count("LightGBM") > 100


def test_a_forecast_beyond_the_horizon_continues_from_itself() -> None:
    rows = pd.DataFrame({"day": DAYS, "y": DAYS.dayofweek * 10.0})
    after = pd.date_range(DAYS[-1], periods=21, freq="D")[1:]
    found = fitted(rows).predict(pd.DataFrame({"day": after[::-1]}))
    assert found == pytest.approx(after[::-1].dayofweek * 10.0, abs=1e-3)


def test_each_series_has_its_own_scale_and_a_new_one_the_mean() -> None:
    rows = pd.concat([pd.DataFrame({"day": DAYS, "shop": shop, "y": DAYS.dayofweek * scale})
                      for shop, scale in (("a", 10.0), ("b", 1000.0))])  # fmt: skip
    model = fitted(rows, timeSeriesIdColumnNames=["shop"])
    after = pd.date_range("2024-02-10", periods=3, freq="D")
    wanted = pd.concat([pd.DataFrame({"day": after, "shop": shop}) for shop in "bac"], ignore_index=True)
    found = model.predict(wanted.sample(frac=1, random_state=1).sort_index())
    assert found[:6] == pytest.approx([*after.dayofweek * 1000.0, *after.dayofweek * 10.0], rel=1e-3, abs=1e-2)
    assert found[6:] == pytest.approx([rows["y"].mean()] * 3, rel=1e-3)


def test_a_gap_has_the_step_before_it_and_the_frequency_is_found_in_spite_of_it() -> None:
    """In the manner of the daily users of GitHub in Azure/azureml-examples, which has two days without a row."""
    rows = pd.DataFrame({"day": DAYS, "y": np.arange(40.0)}).drop(index=[20])
    model = fitted(rows, frequency=None)
    (line,) = model.lines_.values()
    assert model.settings["step"] == "D"
    assert (line.values * line.width + line.centre)[18:23] == pytest.approx([18, 19, 19, 21, 22], abs=1e-3)


def test_the_last_steps_are_held_out_and_no_window_sees_what_it_predicts() -> None:
    rows = pd.DataFrame({"day": DAYS, "y": np.arange(40.0)})
    model = fitted(rows, seasonality={"mode": "Custom", "value": 1})
    network, (line,) = model.network_, model.lines_.values()
    level = line.values[6:39]  # of one step: the last one that is known
    assert network.truth[:, 0] + level == pytest.approx(line.values[7:], abs=1e-6)
    assert network.past[:, -1, 0] == pytest.approx(0)
    assert network.held.tolist() == [False] * 29 + [True] * 4
    assert network.marks[27].tolist() == [True, True, False]  # the third step is held out
    assert network.marks[-1].tolist() == [True, False, False]  # the others have no truth


def test_of_many_windows_each_series_has_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "_MOST_EXAMPLES", 22)
    rows = pd.concat([pd.DataFrame({"day": DAYS, "shop": shop, "y": 1.0}) for shop in "ab"])
    model = fitted(rows, timeSeriesIdColumnNames=["shop"])
    assert len(model.network_.past) == 22


def test_lags_and_windows_are_known_only_before_the_origin() -> None:
    rows = pd.DataFrame({"day": DAYS, "y": np.arange(40.0)})
    lags = {"mode": "Custom", "values": [2]}
    window = {"mode": "Custom", "value": 2}
    model = fitted(rows, seasonality={"mode": "Custom", "value": 1}, targetLags=lags, targetRollingWindowSize=window)
    (line,) = model.lines_.values()
    _, ahead, level = model._windows(line, np.array([30]))
    back = line.values[28] - level[0]
    assert ahead[0, :, -4] == pytest.approx([back, 0, 0], abs=1e-6)  # the lag: two before, one before, unknown
    assert ahead[0, :, -3] == pytest.approx([back / 2, 0, 0], abs=1e-6)  # the mean
    assert ahead[0, :, -2] == pytest.approx([back, 0, 0], abs=1e-6)  # the least


def test_the_past_of_a_model_grows_horizon_by_horizon_when_it_is_judged() -> None:
    rows = pd.DataFrame({"day": DAYS, "y": DAYS.dayofweek * 10.0})
    later = pd.date_range("2024-02-10", periods=14, freq="D")
    truth = np.append(later[:7].dayofweek * 10.0, later[7:].dayofweek * 50.0)
    model = fitted(rows, horizon=7)
    found = forecasting.rolled(model.settings, model, pd.DataFrame({"day": later}), truth)
    assert found[7:] == pytest.approx(truth[:7], abs=1e-2)
    again = model.knowing(pd.DataFrame({"day": later}), truth)
    after = pd.DataFrame({"day": pd.date_range("2024-02-24", periods=7, freq="D")})
    assert again.predict(after) == pytest.approx(truth[7:], abs=1e-2)
