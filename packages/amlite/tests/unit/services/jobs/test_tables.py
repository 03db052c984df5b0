from __future__ import annotations

from pathlib import Path

import pytest

from amlite.services.jobs.data import DataAccessError
from amlite.services.jobs.tables import groups, is_table, read

CSV = "paths: [{file: a.csv}]\ntransformations: "
MANY = "".join(f"{{c{number}}}" for number in range(12)) + "X"
PARTITION = "extract_columns_from_partition_format"


def described(folder: Path, text: str) -> Path:
    (folder / "MLTable").write_text(text, "utf-8")
    for name in ("a.csv", "b.csv", "deep/c.csv"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x\n1\n", "utf-8")
    return folder


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        ("- file: ./b.csv", ["b.csv"]),
        ("- pattern: ./*.csv", ["a.csv", "b.csv"]),
        ("- folder: .", ["a.csv", "b.csv", "c.csv"]),
        ("- file: ./a.csv\n- folder: deep", ["a.csv", "c.csv"]),
    ],
)
def test_files_are_found(tmp_path: Path, paths: str, names: list[str]) -> None:
    found = read(described(tmp_path, f"paths:\n{paths}\n"))
    assert ([Path(file).name for file in found["files"]], found["format"]) == (names, "files")


def test_a_reader_says_the_format(tmp_path: Path) -> None:
    text = "paths: [{file: a.csv}]\ntransformations:\n- read_delimited: {delimiter: '\\t', encoding: utf8}\n"
    found = read(described(tmp_path, text))
    assert (found["format"], found["delimiter"]) == ("delimited", "\t")
    assert read(described(tmp_path, "paths: [{file: a.csv}]\ntransformations: [read_parquet]\n"))["format"] == "parquet"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("paths: [{file: none.csv}]", "'none.csv' matches no file"),
        ("paths: [{file: 'https://example.com/a.csv'}]", "is not supported; use"),
        ("paths: [{file: /etc/passwd}]", "is not supported; use"),
        ("transformations: []", "has no list 'paths'"),
        ("paths: [", "cannot be read"),
        ("paths: [{pattern: ''}]", "is not supported; use"),
        (f"{CSV}[{{read_delimited: ','}}]", "'read_delimited' takes settings, each with its name, not ','"),
        (f"{CSV}[{{extract_columns_from_partition_format: '{{k}}/t.csv'}}]", "takes settings, each with its name"),
        (f"{CSV}[[read_delimited]]", "is no transformation; write its name"),
        (f"{CSV}[{{read_delimited: , take: 1}}]", "is no transformation; write its name"),
        (f"{CSV}[3]", "'3' is no transformation"),
        (f"{CSV} read_delimited", "'transformations' is no list"),
        (f"{CSV}[read_delimited, {{convert_column_types: {{columns: a, column_type: [int]}}}}]", "column_type"),
        (f"{CSV}[read_delta_lake]", "the transformation 'read_delta_lake' is not supported"),
        (f"{CSV}[{{take: 5}}]", "'take' chooses rows; put it after read_delimited"),
        (f"{CSV}[read_delimited, {{take: -1}}]", "take takes a number of rows, not -1"),
        (f"{CSV}[read_delimited, {{skip: x}}]", "skip takes a number of rows, not x"),
        (f"{CSV}[read_delimited, {{take_random_sample: {{probability: 0.5}}}}]", "from 0 to 1 and a 'seed'"),
        (f"{CSV}[read_delimited, {{take_random_sample: {{probability: 2, seed: 1}}}}]", "from 0 to 1 and a 'seed'"),
        (f"{CSV}[read_delimited, {{filter: 'x = 1'}}]", "the filter 'x = 1' is not supported; compare columns"),
        (f"{CSV}[read_delimited, {{filter: 'x.startswith(\"a\")'}}]", "is not supported; compare columns"),
        (f"{CSV}[read_delimited, {{filter: '1 < x < 3'}}]", "is not supported; compare columns"),
        (f"{CSV}[read_delimited, {{filter: 'x == None'}}]", "is not supported; compare columns"),
        (f"{CSV}[read_delimited, {{filter: 'x + 1 > 3'}}]", "is not supported; compare columns"),
        (f"{CSV}[{{drop_columns: {{pattern: x, ignore_case: true}}}}]", "a 'pattern' and 'invert', not"),
        (f"{CSV}[{{keep_columns: {{pattern: '('}}}}]", "the pattern of keep_columns, '\\(', is none"),
        (f"{CSV}[{{convert_column_types: [{{columns: {{pattern: x}}, column_type: int}}]}}]", "names of columns here"),
        (
            f"{CSV}[{{read_delimited: {{infer_column_types: {{column_type_overrides: []}}}}}}]",
            "use convert_column_types",
        ),
        (f"{CSV}[{{read_json_lines: {{invalid_lines: drop}}}}]", "invalid_lines 'drop' is not supported"),
        (f"{CSV}[{{read_delimited: {{encoding: utf7}}}}]", "'utf7' is not supported"),
        (f"{CSV}[{{read_delimited: {{header: second_line}}}}]", "'second_line' is not supported"),
        (f"{CSV}[{{read_delimited: {{quote: x}}}}]", "'quote' is not supported"),
        (f"{CSV}[{{convert_column_types: [{{columns: x, column_type: stream_info}}]}}]", "column_type stream_info is"),
        (f"{CSV}[{{{PARTITION}: {{partition_format: '{{day:yyyy}}/{{f}}'}}}}]", "write columns of text"),
        (f"{CSV}[{{{PARTITION}: {{partition_format: '{{a}}/{{b}}'}}}}]", "the path 'a.csv' does not end with"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataAccessError, match=said):
        read(described(tmp_path, text))


def test_a_folder_without_description_is_no_table(tmp_path: Path) -> None:
    assert not is_table(tmp_path)


def test_a_table_is_read_as_it_says(tmp_path: Path) -> None:
    text = f"""{CSV}
- read_delimited: {{encoding: ascii, header: no_header, empty_as_string: true, infer_column_types: false}}
- convert_column_types:
  - {{columns: [x, y], column_type: int}}
  - columns: z
    column_type: {{datetime: {{formats: ['%Y']}}}}
- drop_columns: Path
- keep_columns: [x, z]
"""
    found = read(described(tmp_path, text))
    assert {name: found[name] for name in ("encoding", "header", "gaps", "texts", "path")} == {
        "encoding": "ascii", "header": False, "gaps": False, "texts": True, "path": False,
    }  # fmt: skip
    assert found["steps"] == [
        ["convert_column_types", [(["x", "y"], "integer", []), (["z"], "datetime", ["%Y"])]],
        ["drop_columns", ["Path"]],
        ["keep_columns", ["x", "z"]],
    ]


def test_steps_that_choose_rows_are_read(tmp_path: Path) -> None:
    text = f"""{CSV}
- read_delimited
- filter: 'col("a b") >= -2 and not (c == "x" or 1.5 < d) and e'
- take: 5
- skip: 0
- take_random_sample: {{probability: 0.5, seed: 7}}
- drop_columns: {{pattern: '^x', invert: true}}
"""
    found = read(described(tmp_path, text))
    tree = {"join": "and", "parts": [
        {"compare": ">=", "column": "a b", "with": {"value": -2}},
        {"not": {"join": "or", "parts": [
            {"compare": "==", "column": "c", "with": {"value": "x"}},
            {"compare": ">", "column": "d", "with": {"value": 1.5}},
        ]}},
        {"is": "e"},
    ]}  # fmt: skip
    assert found["whole"]
    assert found["steps"] == [
        ["filter", tree], ["take", 5], ["skip", 0], ["take_random_sample", {"probability": 0.5, "seed": 7}],
        ["drop_columns", {"pattern": "^x", "invert": True}],
    ]  # fmt: skip
    with pytest.raises(DataAccessError, match="divides a table by its files, so it cannot have take, skip"):
        groups(found, ["store"])


def test_files_of_a_table_are_grouped_by_the_keys_of_its_partitions(tmp_path: Path) -> None:
    for name in ("10/red/a.csv", "10/blue/a.csv", "9/red/a.csv", "9/red/b.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x\n1\n", "utf-8")
    (tmp_path / "MLTable").write_text(
        "paths: [{pattern: ./**/*.csv}]\ntransformations:\n- read_delimited: {}\n"
        f"- {PARTITION}: {{partition_format: '/{{store}}/{{colour}}/{{file}}.csv'}}\n",
        "utf-8",
    )
    table = read(tmp_path)
    named = [(group["values"], [Path(file).name for file in group["files"]]) for group in groups(table, ["store"])]
    assert named == [({"store": "10"}, ["a.csv", "a.csv"]), ({"store": "9"}, ["a.csv", "b.csv"])]
    assert len(groups(table, ["store", "colour"])) == 3
    with pytest.raises(DataAccessError, match="no partition by day; its MLTable names the columns"):
        groups(table, ["day"])


@pytest.mark.parametrize(
    ("form", "path", "values"),
    [
        ("{a}.{b}", "x.y.csv", {"a": "x", "b": "y.csv"}),
        ("{a}{b}", "xyz", {"a": "x", "b": "yz"}),
        ("{y}-{m}/p{n}.csv", "old/2026-11/p1.csv", {"y": "2026", "m": "11", "n": "1"}),
        ("fixed/{n}", "fixed/1", {"n": "1"}),
        ("{a}.{b}", "x.", None),
        ("{a}-{b}", "-x", None),
        ("fixed/{n}", "other/1", None),
    ],
)
def test_columns_are_the_shortest_texts_of_a_path(
    tmp_path: Path, form: str, path: str, values: dict[str, str] | None
) -> None:
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).touch()
    folder = described(
        tmp_path, f"paths: [{{file: {path}}}]\ntransformations: [{{{PARTITION}: {{partition_format: '{form}'}}}}]"
    )
    if values is None:
        with pytest.raises(DataAccessError, match="does not end with"):
            read(folder)
    else:
        assert list(read(folder)["partitions"].values()) == [values]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("**/*.csv", ["a.csv", "b.csv", "c.csv"]),
        ("*/*.csv", ["c.csv"]),
        ("deep/**/c.csv", ["c.csv"]),
        ("**/deep/*", ["c.csv"]),
        ("./[ab].csv", ["a.csv", "b.csv"]),
    ],
)
def test_a_pattern_finds_files(tmp_path: Path, pattern: str, names: list[str]) -> None:
    found = read(described(tmp_path, f"paths: [{{pattern: '{pattern}'}}]"))
    assert [Path(file).name for file in found["files"]] == names


@pytest.mark.attack
@pytest.mark.parametrize(
    "text",
    [
        f"paths: [{{pattern: '*.csv'}}]\ntransformations: [{{{PARTITION}: {{partition_format: '{MANY}'}}}}]",
        f"paths: [{{pattern: '{'**/' * 12}none'}}]",
        f"paths: [{{pattern: '{'*/' * 40}none'}}]",
        f"{CSV}[read_delimited, {{filter: '{'not ' * 50000}a'}}]",
        f"{CSV}[read_delimited, {{filter: '{'-' * 900}1'}}]",
        f"{CSV}[read_delimited, {{filter: 'a == 0x{'f' * 100000}'}}]",
        f"{CSV}[{{keep_columns: {{pattern: 'a{{99999999999999}}'}}}}]",
        f"{CSV}[{{keep_columns: {{pattern: '{'(' * 5000}'}}}}]",
    ],
)
def test_a_table_takes_no_long_time_and_no_other_error(tmp_path: Path, text: str) -> None:
    """Of what another job wrote: amlite does nothing else meanwhile."""
    (tmp_path / f"{'a' * 200}.csv").touch()
    (tmp_path / "/".join("abcdefghij")).mkdir(parents=True)
    for link in ("l", "m"):
        (tmp_path / link).symlink_to(tmp_path)
    with pytest.raises(DataAccessError):
        read(described(tmp_path, text))
