"""The files of a table as the drivers of jobs read them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from amlite.services.jobs.drivers import table_steps
from amlite.services.jobs.tables import of_files

ROWS = "name,count,rate,when,seen\nana,1,0.5,2024-01-02,true\nbob,,x,never,0\n"


def read(tmp_path: Path, *steps: list[Any], **settings: Any) -> pd.DataFrame:
    file = tmp_path / "rows.csv"
    file.write_text(ROWS, "utf-8")
    return table_steps.read(str(file), {**of_files([str(file)], "delimited"), "steps": list(steps), **settings})


def test_columns_are_converted_and_what_is_not_of_the_type_is_missing(tmp_path: Path) -> None:
    conversions = [
        (["count"], "integer", []), (["rate"], "number", []), (["when"], "datetime", ["%Y-%m-%d"]),
        (["seen"], "boolean", []),
    ]  # fmt: skip
    found = read(tmp_path, ["convert_column_types", conversions])
    assert found["count"].tolist()[0] == 1
    assert found.isna().sum().to_dict() == {"name": 0, "count": 1, "rate": 1, "when": 1, "seen": 0}
    assert found["when"][0] == pd.Timestamp(2024, 1, 2)
    assert found["seen"].tolist() == [True, False]
    texts = read(tmp_path, ["convert_column_types", [(["count", "seen"], "string", [])]])
    assert [texts["count"][0], texts["seen"].tolist()] == ["1.0", ["true", "0"]]
    assert read(tmp_path, ["keep_columns", ["count"]], ["convert_column_types", [(["count"], "integer", [])]],
                )["count"].dtype == "float64"  # fmt: skip


def test_columns_are_dropped_kept_and_taken_from_the_path(tmp_path: Path) -> None:
    file = str(tmp_path / "rows.csv")
    partition = ["extract_columns_from_partition_format", None]
    found = read(
        tmp_path, partition, ["keep_columns", ["Path", "store", "name"]], ["drop_columns", ["Path", "none"]],
        path=True, partitions={file: {"store": "7"}},
    )  # fmt: skip
    assert found.to_dict("list") == {"store": ["7", "7"], "name": ["ana", "bob"]}


def test_a_file_without_a_header_has_numbered_columns(tmp_path: Path) -> None:
    found = read(tmp_path, header=False, texts=True, gaps=False)
    assert list(found) == ["Column1", "Column2", "Column3", "Column4", "Column5"]
    assert found["Column2"].tolist() == ["count", "1", ""]


@pytest.mark.parametrize(("form", "text"), [("json_lines", '{"a": 1}\n{"a": 2}\n'), ("delimited", "a\n1\n2\n")])
def test_some_lines_of_a_file_are_read(form: str, text: str) -> None:
    found = table_steps.read("none", of_files(["none"], form), io.StringIO(text))
    assert found["a"].tolist() == [1, 2]
