"""The files of a table as the drivers of jobs read them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from amlite.services.jobs import tables
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


def table(tmp_path: Path, *steps: str) -> pd.DataFrame:
    """Return a table of two files as mltable would: the expectations below are what mltable 1.6.3 answers."""
    (tmp_path / "a.csv").write_text("name,count,rate,flag\nana,1,0.5,true\nbob,2,1.5,false\ncid,3,,true\n", "utf-8")
    (tmp_path / "b.csv").write_text("name,count,rate,flag\ndan,4,2.5,false\neve,5,3.5,true\nfay,6,0.1,true\n", "utf-8")
    lines = ["paths: [{pattern: '*.csv'}]", "transformations: ", "- read_delimited", *(f"- {step}" for step in steps)]
    (tmp_path / "MLTable").write_text("\n".join(lines), "utf-8")
    return table_steps.whole(tables.read(tmp_path))


@pytest.mark.parametrize(
    ("steps", "names"),
    [
        (["take: 4"], "ana bob cid dan"),
        (["take: 100"], "ana bob cid dan eve fay"),
        (["skip: 4"], "eve fay"),
        (["skip: 100"], ""),
        (["take: 2", "skip: 1"], "bob"),
        (["skip: 1", "take: 2"], "bob cid"),
        (["filter: count > 2", "take: 2"], "cid dan"),
        (["take: 4", "filter: count > 2"], "cid dan"),
        (["take_random_sample: {probability: 0, seed: 1}"], ""),
        (["take_random_sample: {probability: 1, seed: 1}"], "ana bob cid dan eve fay"),
    ],
)
def test_rows_are_counted_over_all_files(tmp_path: Path, steps: list[str], names: str) -> None:
    assert table(tmp_path, *steps)["name"].tolist() == names.split()


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ('col("count") > 3', "dan eve fay"),
        ("3 < count", "dan eve fay"),
        ('name == "bob" or name >= "eve"', "bob eve fay"),
        ("flag", "ana cid eve fay"),
        ("not flag", "bob dan"),
        ("flag == True and count >= 5", "eve fay"),
        ("count > rate", "ana bob dan eve fay"),
        ("rate != 0.5", "bob dan eve fay"),
        ("not (rate > 1)", "ana fay"),
        ('rate > 1 or name == "cid"', "bob cid dan eve"),
        ('not (name == "cid" and rate > 1)', "ana bob dan eve fay"),
        ("nothing == 1", ""),
        ("nothing == 1 or count == 2", "bob"),
        ('count == "3"', ""),
        ('count != "3"', "ana bob cid dan eve fay"),
        ("flag == 1", ""),
    ],
)
def test_a_filter_keeps_what_mltable_keeps(tmp_path: Path, condition: str, names: str) -> None:
    assert table(tmp_path, f"filter: '{condition}'")["name"].tolist() == names.split()


@pytest.mark.parametrize("condition", ['count < "3"', "name > 1", "name", "not count"])
def test_a_filter_that_compares_what_has_no_order_says_so(tmp_path: Path, condition: str) -> None:
    with pytest.raises(ValueError, match=r"^filter: "):
        table(tmp_path, f"filter: '{condition}'")


def test_columns_are_chosen_by_pattern_and_keep_the_order_of_the_table(tmp_path: Path) -> None:
    assert list(table(tmp_path, "keep_columns: [rate, none, name]")) == ["name", "rate"]
    assert list(table(tmp_path, "keep_columns: {pattern: ame}")) == ["name"]
    assert list(table(tmp_path, "keep_columns: {pattern: n, invert: true}")) == ["rate", "flag"]
    assert list(table(tmp_path, "drop_columns: {pattern: 'r.*|f.*'}")) == ["name", "count"]


def test_a_sample_is_the_same_with_the_same_seed(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("x\n" + "\n".join(map(str, range(1000))), "utf-8")
    sampled = {**tables.of_files([str(tmp_path / "rows.csv")], "delimited"),
               "steps": [["take_random_sample", {"probability": 0.25, "seed": 3}]]}  # fmt: skip
    first = table_steps.whole(sampled)
    assert 200 < len(first) < 300
    assert first.equals(table_steps.whole(sampled))
