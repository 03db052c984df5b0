"""Small made-up flights, and access to the steps' modules the way a compute runs them: from their own folder."""

import importlib
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[3]

HOLIDAYS = [date(2012, 12, 25), date(2013, 1, 1), date(2013, 7, 4), date(2013, 12, 25), date(2014, 1, 1)]


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], ModuleType]:
    """Imports a module from a folder of code whose files import each other by bare name."""

    def load(folder: str, module: str) -> ModuleType:
        monkeypatch.syspath_prepend(str(ROOT / folder))
        for path in (ROOT / folder).glob("*.py"):
            monkeypatch.delitem(sys.modules, path.stem, raising=False)
        return importlib.import_module(module)

    return load


@pytest.fixture
def flights() -> pd.DataFrame:
    """Four flights: late, cancelled, exactly 15 minutes late, of an unknown plane."""
    return pd.DataFrame(
        {
            "year": 2013,
            "month": [7, 7, 11, 12],
            "day": [3, 3, 1, 26],
            "dep_time": [600.0, np.nan, 1335.0, 5.0],
            "sched_dep_time": [545, 559, 1330, 5],
            "dep_delay": [15.0, np.nan, 5.0, 0.0],
            "arr_delay": [16.0, np.nan, 15.0, -20.0],
            "air_time": [100.0, np.nan, 110.0, 120.0],
            "carrier": ["UA", "UA", "DL", "AA"],
            "tailnum": ["N1", "N1", "N2", "N9"],
            "origin": ["EWR", "EWR", "JFK", "LGA"],
            "dest": ["ORD", "ORD", "ATL", "MIA"],
            "distance": [719, 719, 760, 1096],
            "time_hour": pd.to_datetime(
                ["2013-07-03T09:00Z", "2013-07-03T09:00Z", "2013-11-01T17:00Z", "2013-12-26T05:00Z"]
            ),
        }
    )


@pytest.fixture
def weather() -> pd.DataFrame:
    """EWR in the hour before the first flight and in its own hour; no other airport."""
    return pd.DataFrame(
        {
            "origin": "EWR",
            "temp": [70.0, 99.0],
            "humid": 50.0,
            "wind_speed": 5.0,
            "precip": 0.0,
            "visib": 10.0,
            "pressure": [1010.0, np.nan],
            "time_hour": pd.to_datetime(["2013-07-03T08:00Z", "2013-07-03T09:00Z"]),
        }
    )


@pytest.fixture
def planes() -> pd.DataFrame:
    """Two planes, one of unknown year."""
    return pd.DataFrame({"tailnum": ["N1", "N2"], "year": [2003.0, np.nan], "seats": [149, 200]})


@pytest.fixture
def feature_rows() -> pd.DataFrame:
    """600 rows as prep writes them, in which rain and one carrier make flights late."""
    random = np.random.default_rng(7)
    rows = 600
    carrier = random.choice(["UA", "DL", "AA"], rows)
    rain = random.choice([0.0, 0.5], rows)
    late = random.random(rows) < 0.1 + 0.5 * (rain > 0) + 0.3 * (carrier == "UA")
    temperature = random.normal(60, 10, rows)
    temperature[:5] = np.nan
    return pd.DataFrame(
        {
            "carrier": carrier,
            "precipitation_inches": rain,
            "temperature_f": temperature,
            "delayed": late.astype("int64"),
        }
    )
