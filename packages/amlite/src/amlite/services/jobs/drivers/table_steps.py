"""Reads the files of a table and applies its transformations, in the environment of a driver: it needs pandas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd  # type: ignore[import-untyped]

_NUMBERS = ("integer", "number")


def read(file: str, table: dict[str, Any], stream: Any = None) -> pd.DataFrame:
    """Return the rows of a file, or of a stream with some of its lines, as the table's description has them."""
    source = file if stream is None else stream
    match table["format"]:
        case "parquet":
            found = pd.read_parquet(source)
        case "json_lines":
            found = pd.read_json(source, lines=True)
        case _:
            found = pd.read_csv(
                source, sep=table["delimiter"], encoding=table["encoding"], header=0 if table["header"] else None,
                dtype=str if table["texts"] else None, keep_default_na=table["gaps"],
            )  # fmt: skip
            if not table["header"]:
                found.columns = [f"Column{number}" for number in range(1, len(found.columns) + 1)]
    if table["path"]:
        found.insert(0, "Path", str(Path(file)))
    for name, options in table["steps"]:
        if name == "drop_columns":
            found = found.drop(columns=options, errors="ignore")
        elif name == "keep_columns":
            found = found[options]
        elif name == "convert_column_types":
            found = found.assign(**{column: _converted(found[column], kind, formats)
                                    for columns, kind, formats in options for column in columns})  # fmt: skip
        else:
            found = found.assign(**table["partitions"][file])
    return found


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
