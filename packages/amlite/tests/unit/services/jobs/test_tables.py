from __future__ import annotations

from pathlib import Path

import pytest

from amlite.services.jobs.data import DataAccessError
from amlite.services.jobs.tables import is_table, read


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
        ("paths: [{file: a.csv}]\ntransformations: [{take: 5}]", "the transformation 'take' is not supported"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataAccessError, match=said):
        read(described(tmp_path, text))


def test_a_folder_without_description_is_no_table(tmp_path: Path) -> None:
    assert not is_table(tmp_path)
