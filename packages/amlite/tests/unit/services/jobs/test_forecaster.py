"""The forecasts of AutoML, as its driver makes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from amlite.services.jobs import automl_task
from amlite.services.jobs.drivers.automl import forecasting, models
from amlite.services.jobs.drivers.automl.algorithms import Candidate

# The driver has a pandas of its own, which is older.
pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")
DAYS = pd.date_range("2024-01-01", periods=60, freq="D")


def forecaster(rows: pd.DataFrame, algorithm: str, **given: Any) -> forecasting.Forecaster:
    details = {"taskType": "Forecasting", "targetColumnName": "y", **given}
    details["forecastingSettings"] = {"timeColumnName": "day", "frequency": "D", **given.get("forecastingSettings", {})}
    settings = automl_task.search(details, nodes=1, cores=1)
    settings["forecasting"], tables = forecasting.prepared(settings["forecasting"], {"training_data": rows}, "y")
    found = forecasting.forecaster(settings, Candidate(algorithm, "StandardScalerWrapper", {}))
    return found.fit(tables["training_data"].drop(columns="y"), tables["training_data"]["y"])


@pytest.mark.parametrize("algorithm", ["Naive", "SeasonalAverage", "ElasticNet"])
def test_one_series_needs_no_name(algorithm: str) -> None:
    """In the manner of the bike share and energy demand of Azure/azureml-examples."""
    rows = pd.DataFrame({"day": DAYS, "weekday": DAYS.dayofweek, "y": DAYS.dayofweek * 10.0})
    lags = {"targetLags": {"mode": "Custom", "values": [7]}}
    model = forecaster(rows, algorithm, forecastingSettings=lags)
    after = pd.date_range("2024-03-01", periods=3, freq="D")
    found = model.predict(pd.DataFrame({"day": after, "weekday": after.dayofweek}))
    assert len(found) == 3


def test_gaps_are_filled_from_the_row_before_in_the_same_series() -> None:
    settings = {"transformerParams": {"imputer": [{"fields": ["price"], "parameters": {"strategy": "ffill"}}]}}
    rows = pd.DataFrame({
        "day": [*DAYS[:8], *DAYS[:8]], "store": ["a"] * 8 + ["b"] * 8, "price": [1.0, None] * 4 + [5.0, None] * 4,
        "y": 1.0,
    })  # fmt: skip
    model = forecaster(
        rows, "Naive", featurizationSettings=settings, forecastingSettings={"timeSeriesIdColumnNames": ["store"]}
    )
    shuffled = rows.sample(frac=1, random_state=1)
    filled = model._in_time(shuffled).sort_values(["store", "day"])["price"].tolist()
    assert filled == [1.0] * 8 + [5.0] * 8


def test_a_holiday_is_a_feature_of_the_model_itself() -> None:
    rows = pd.DataFrame({"day": DAYS, "y": 1.0})
    model = forecaster(rows, "ElasticNet")
    model.settings = {**model.settings, "holidays": {"2024-01-01": "New Year's Day"}}
    features = model._features(model._in_time(rows[:2]), {})
    assert features["_holiday"].tolist() == ["New Year's Day", ""]
    assert model._featurization(features)["columns"] == {"_holiday": "Categorical"}


def test_an_ensemble_of_forecasters_is_judged_horizon_by_horizon() -> None:
    rows = pd.DataFrame({"day": DAYS, "y": 1.0})
    members = [forecaster(rows, "Naive", forecastingSettings={"forecastHorizon": {"mode": "Custom", "value": 2}})] * 2
    later = pd.DataFrame({"day": pd.date_range("2024-03-01", periods=4, freq="D")})
    found = forecasting.rolled(members[0].settings, models.Voting(members), later, np.array([2.0, 3.0, 4.0, 5.0]))
    assert found.tolist() == [1, 1, 3, 3]
