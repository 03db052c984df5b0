"""Reads the files of a table and applies its transformations, in the environment of a driver: it needs pandas.

The environment is of a job, with any Python from 3.7.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]

_NUMBERS = ("integer", "number")
_SIGNS = {"==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
          ">=": operator.ge}  # fmt: skip
_KINDS = {"number": ("integer", "floating", "mixed-integer-float", "decimal"), "boolean": ("boolean",),
          "text": ("string",), "time": ("datetime64", "datetime", "date"), "nothing": ("empty",)}  # fmt: skip


def read(file: str, table: dict[str, Any], stream: Any = None) -> pd.DataFrame:
    """Return the rows of a file, or of a stream with some of its lines, as the table's description has them."""
    return _after_steps({file: _content(file, table, stream)}, table)


def whole(table: dict[str, Any]) -> pd.DataFrame:
    """Return the rows of all files of a table. Steps that choose rows count them in the order of the files."""
    return _after_steps({file: _content(file, table, None) for file in table["files"]}, table)


def _content(file: str, table: dict[str, Any], stream: Any) -> pd.DataFrame:
    source = file if stream is None else stream
    if table["format"] == "parquet":
        found = pd.read_parquet(source)
    elif table["format"] == "json_lines":
        found = pd.read_json(source, lines=True)
    else:
        found = pd.read_csv(
            source, sep=table["delimiter"], encoding=table["encoding"], header=0 if table["header"] else None,
            dtype=str if table["texts"] else None, keep_default_na=table["gaps"],
        )  # fmt: skip
        if not table["header"]:
            found.columns = [f"Column{number}" for number in range(1, len(found.columns) + 1)]
    if table["path"]:
        found.insert(0, "Path", str(Path(file)))
    return found


def _after_steps(found: dict[str, pd.DataFrame], table: dict[str, Any]) -> pd.DataFrame:
    for name, options in table["steps"]:
        if name in ("take", "skip"):
            found = dict(_counted(found, name, options))
        elif name == "take_random_sample":
            chance = np.random.default_rng(options["seed"])
            found = {file: rows[chance.random(len(rows)) < options["probability"]] for file, rows in found.items()}
        elif name == "filter":
            found = {file: rows[_meets(rows, options).fillna(False).astype(bool)] for file, rows in found.items()}
        elif name == "drop_columns":
            found = {file: rows[_others(rows, _named(rows, options))] for file, rows in found.items()}
        elif name == "keep_columns":
            found = {file: rows[_named(rows, options)] for file, rows in found.items()}
        elif name == "convert_column_types":
            found = {file: _with_types(rows, options) for file, rows in found.items()}
        else:
            found = {file: rows.assign(**table["partitions"][file]) for file, rows in found.items()}
    return pd.concat(found.values(), ignore_index=True)


def _counted(found: dict[str, pd.DataFrame], step: str, count: int) -> Iterator[tuple[str, pd.DataFrame]]:
    for file, rows in found.items():
        here = min(count, len(rows))
        yield file, rows.iloc[:here] if step == "take" else rows.iloc[here:]
        count -= here


def _named(rows: pd.DataFrame, options: Any) -> list[str]:
    """Return the columns that a step names, in the order of the table. A name that the table does not have is none."""
    if isinstance(options, dict):
        return [each for each in rows if bool(re.search(options["pattern"], str(each))) is not options["invert"]]
    return [each for each in rows if each in options]


def _others(rows: pd.DataFrame, columns: list[str]) -> list[str]:
    return [each for each in rows if each not in columns]


def _with_types(rows: pd.DataFrame, options: list[Any]) -> pd.DataFrame:
    return rows.assign(**{column: _converted(rows[column], kind, formats)
                          for columns, kind, formats in options for column in columns})  # fmt: skip


def _meets(rows: pd.DataFrame, condition: dict[str, Any]) -> pd.Series:
    """Return which rows meet a condition: missing where a value is missing, or the column, as in mltable."""
    if "join" in condition:
        parts = [_meets(rows, part) for part in condition["parts"]]
        return functools.reduce(operator.and_ if condition["join"] == "and" else operator.or_, parts)
    if "not" in condition:
        return ~_meets(rows, condition["not"])
    name = str(condition.get("column") or condition.get("is"))
    column = _column(rows, name)
    kind = _kind(column)
    if "is" in condition:
        if kind not in ("boolean", "nothing"):
            raise ValueError(f"filter: the column '{name}' has {kind}s, and a condition needs a boolean")
        return column.astype("boolean")
    sign, other = condition["compare"], condition["with"]
    against = _column(rows, other["column"]) if "column" in other else pd.Series(other["value"], index=rows.index)
    missing = column.isna() | against.isna()
    kinds = {kind, _kind(against)} - {"nothing"}
    if len(kinds) < 2:
        answer = pd.Series(pd.NA, index=rows.index, dtype="boolean")
        if not missing.all():
            answer[~missing] = _SIGNS[sign](column[~missing], against[~missing])
        return answer
    if sign not in ("==", "!="):
        raise ValueError(f"filter: '{sign}' cannot compare the {kind}s of the column '{name}' with a {_kind(against)}")
    return pd.Series(sign == "!=", index=rows.index, dtype="boolean").mask(missing)


def _column(rows: pd.DataFrame, name: str) -> pd.Series:
    return rows[name] if name in rows else pd.Series(None, index=rows.index, dtype=object)


def _kind(column: pd.Series) -> str:
    found = pd.api.types.infer_dtype(column, skipna=True)
    return next((kind for kind, names in _KINDS.items() if found in names), found)


def _converted(column: pd.Series, kind: str, formats: list[str]) -> pd.Series:
    """Return a column with another type. A value that is not of the type is missing, as in mltable."""
    if kind in _NUMBERS:
        numbers = pd.to_numeric(column, errors="coerce")
        whole = kind == "integer" and numbers.notna().all()
        return numbers.astype("int64") if whole else numbers.astype("float64")
    if kind == "boolean":
        return column.astype(str).str.lower().map({"true": True, "1": True, "false": False, "0": False})
    if kind == "datetime":
        found = pd.to_datetime(column, errors="coerce", format=formats[0] if formats else None)
        for form in formats[1:]:
            found = found.fillna(pd.to_datetime(column, errors="coerce", format=form))
        return found
    return column.where(column.isna(), column.astype(str))
