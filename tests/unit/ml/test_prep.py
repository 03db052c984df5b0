from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.ml.conftest import ROOT


@pytest.fixture
def prep(step: Callable[[str, str], ModuleType]) -> ModuleType:
    return step("ml/prep/src", "prep")


def test_committed_holidays_span_the_flights_of_2013(prep: ModuleType) -> None:
    holidays = prep.read_holidays(ROOT / "ml/data/holidays/holidays-2013.csv")
    assert min(holidays) < date(2013, 1, 1)
    assert max(holidays) > date(2013, 12, 31)
    assert len(set(holidays)) == len(holidays) == 13


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "has no column 'date'; it has: none"),
        ("day,name\n2013-01-01,x\n", "has no column 'date'; it has: day, name"),
        ("date,name\n2013-01-01,x\n2013-13-01,y\n", "h.csv line 3: .*month"),
    ],
)
def test_malformed_holidays_are_refused_with_the_line(
    prep: ModuleType, tmp_path: Path, content: str, reason: str
) -> None:
    (tmp_path / "h.csv").write_text(content)
    with pytest.raises(prep.DataError, match=reason):
        prep.read_holidays(tmp_path / "h.csv")


def test_missing_holidays_are_refused(prep: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(prep.DataError, match="is not a file"):
        prep.read_holidays(tmp_path / "absent.csv")


def test_missing_data_package_is_named(prep: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prep, "DATA_PACKAGE", "no_such_package_of_flights")
    with pytest.raises(prep.DataError, match="no_such_package_of_flights is not installed"):
        prep.data_folder()


def test_table_is_read_from_csv_with_only_the_columns_asked_for(prep: ModuleType) -> None:
    table = prep.read_table(b"a,b\n1,2013-01-01T10:00:00Z\n", ("b",))
    assert list(table.columns) == ["b"]
    assert str(table["b"].dt.tz) == "UTC"
