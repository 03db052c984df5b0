"""Train a model that predicts the departures of a day and airport from the calendar."""

import argparse
import json
from pathlib import Path

import joblib
import mlflow
import pandas as pd
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.metrics import mean_absolute_error

_TESTED_DAYS = 28


def main() -> None:
    """Read the arguments, train, log the error and write the model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--daily", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    given = parser.parse_args()
    daily = pd.concat(pd.read_csv(path, parse_dates=["date"]) for path in sorted(given.daily.glob("*.csv")))
    last = daily["date"].max() - pd.Timedelta(days=_TESTED_DAYS)
    known, unseen = daily[daily["date"] <= last], daily[daily["date"] > last]
    model = GradientBoostingRegressor(random_state=0).fit(_features(known), known["departures"])
    error = float(mean_absolute_error(unseen["departures"], model.predict(_features(unseen))))
    mlflow.log_metric("mean_absolute_error", error)
    given.model.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, given.model / "model.joblib")
    metrics = {"rows": len(known), "mean_absolute_error": error}
    (given.model / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")
    print(json.dumps(metrics))


def _features(daily: pd.DataFrame) -> pd.DataFrame:
    """Return what is known about a day before it begins."""
    airports = {name: daily["origin"].eq(name).astype(int) for name in ("EWR", "JFK", "LGA")}
    return pd.DataFrame(
        {"day_of_week": daily["date"].dt.dayofweek, "day_of_year": daily["date"].dt.dayofyear, **airports}
    )


if __name__ == "__main__":
    main()
