from datetime import date

import pandas as pd
import pytest

from ml.prep.src import features
from ml.prep.src.features import CATEGORIES, FEATURES, NUMBERS, TARGET, DataError, build_features, split_by_date
from tests.unit.ml.conftest import HOLIDAYS


def test_flights_that_never_arrived_are_dropped_but_counted_as_traffic(
    flights: pd.DataFrame, weather: pd.DataFrame, planes: pd.DataFrame
) -> None:
    table = build_features(flights, weather, planes, HOLIDAYS)
    assert len(table) == 3
    assert table["departures_that_hour"].tolist() == [2.0, 1.0, 1.0]


def test_target_is_arrival_more_than_15_minutes_late(
    flights: pd.DataFrame, weather: pd.DataFrame, planes: pd.DataFrame
) -> None:
    assert build_features(flights, weather, planes, HOLIDAYS)[TARGET].tolist() == [1, 0, 0]


def test_nothing_measured_at_or_after_departure_changes_a_feature(
    flights: pd.DataFrame, weather: pd.DataFrame, planes: pd.DataFrame
) -> None:
    before = build_features(flights, weather, planes, HOLIDAYS)
    later = flights.assign(
        dep_time=flights["dep_time"] + 7,
        dep_delay=flights["dep_delay"] + 60,
        air_time=1.0,
        arr_delay=-flights["arr_delay"],
    )
    weather.loc[1, ["temp", "wind_speed"]] = [-5.0, 99.0]  # observed in the hour of departure itself
    after = build_features(later, weather, planes, HOLIDAYS)
    pd.testing.assert_frame_equal(before[list(FEATURES)], after[list(FEATURES)])
    assert before[TARGET].tolist() != after[TARGET].tolist()


def test_table_holds_the_declared_columns_only(
    flights: pd.DataFrame, weather: pd.DataFrame, planes: pd.DataFrame
) -> None:
    table = build_features(flights, weather, planes, HOLIDAYS)
    assert list(table.columns) == ["date", *CATEGORIES, *NUMBERS, TARGET]
    assert {str(table[name].dtype) for name in NUMBERS} == {"float64"}


def test_weather_is_the_observation_of_the_hour_before(
    flights: pd.DataFrame, weather: pd.DataFrame, planes: pd.DataFrame
) -> None:
    temperature = build_features(flights, weather, planes, HOLIDAYS)["temperature_f"]
    assert temperature[0] == 70.0
    assert temperature[1:].isna().all()


def test_plane_age_is_empty_where_the_plane_or_its_year_is_unknown(
    flights: pd.DataFrame, weather: pd.DataFrame, planes: pd.DataFrame
) -> None:
    table = build_features(flights, weather, planes, HOLIDAYS)
    assert table["plane_age_years"].fillna(-1).tolist() == [10.0, -1.0, -1.0]
    assert table["plane_seats"].fillna(-1).tolist() == [149.0, 200.0, -1.0]


def test_schedule_becomes_weekday_and_minute_of_day(
    flights: pd.DataFrame, weather: pd.DataFrame, planes: pd.DataFrame
) -> None:
    table = build_features(flights, weather, planes, HOLIDAYS)
    assert table["weekday"].tolist() == [2.0, 4.0, 3.0]
    assert table["departure_minute"].tolist() == [345.0, 810.0, 5.0]


@pytest.mark.parametrize(
    ("day", "distance"),
    [("2013-07-04", 0), ("2013-07-03", 1), ("2013-07-06", 2), ("2013-12-30", 2), ("2012-12-25", 0), ("2014-01-01", 0)],
)
def test_days_to_the_nearest_holiday_on_either_side(day: str, distance: int) -> None:
    assert features.days_to_nearest(pd.Series(pd.to_datetime([day])), HOLIDAYS).tolist() == [distance]


@pytest.mark.parametrize("holidays", [[], [date(2013, 1, 1)], [date(2013, 7, 4), date(2013, 12, 25)]])
def test_holidays_that_do_not_span_the_flights_are_refused(holidays: list[date]) -> None:
    days = pd.Series(pd.to_datetime(["2013-06-30", "2013-08-01"]))
    with pytest.raises(DataError, match="the flights are from 2013-06-30 to 2013-08-01"):
        features.days_to_nearest(days, holidays)


def test_split_keeps_every_row_once_and_the_future_out_of_training(
    flights: pd.DataFrame, weather: pd.DataFrame, planes: pd.DataFrame
) -> None:
    table = build_features(flights, weather, planes, HOLIDAYS)
    train, test = split_by_date(table, date(2013, 11, 1))
    assert train["destination"].tolist() == ["ORD"]
    assert test["destination"].tolist() == ["ATL", "MIA"]
    assert list(train.columns) == list(test.columns) == [*FEATURES, TARGET]


@pytest.mark.parametrize("day", [date(2013, 7, 3), date(2013, 12, 27)])
def test_split_that_leaves_a_part_empty_is_refused(
    day: date, flights: pd.DataFrame, weather: pd.DataFrame, planes: pd.DataFrame
) -> None:
    table = build_features(flights, weather, planes, HOLIDAYS)
    with pytest.raises(DataError, match=r"holdout_start: .* must be after 2013-07-03 and not after 2013-12-26"):
        split_by_date(table, day)
