"""Count the departures of each day and airport."""

import argparse
from pathlib import Path

import pandas as pd


def daily(flights: pd.DataFrame) -> pd.DataFrame:
    """Return date, origin, departures and mean_delay. A flight without a delay was cancelled."""
    departed = flights.dropna(subset=["dep_delay"])
    found = departed.groupby(["date", "origin"])["dep_delay"].agg(departures="size", mean_delay="mean")
    return found.round({"mean_delay": 2}).reset_index()


def main() -> None:
    """Read the arguments and write the file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--flights", type=Path, required=True)
    parser.add_argument("--daily", type=Path, required=True)
    given = parser.parse_args()
    given.daily.mkdir(parents=True, exist_ok=True)
    table = daily(pd.read_parquet(given.flights))
    table.to_csv(given.daily / "daily.csv", index=False)
    print(f"{len(table)} rows")


if __name__ == "__main__":
    main()
