"""The tables of the search, and how their rows are divided into training and validation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split  # type: ignore[import-untyped]

Json = dict[str, Any]
Fold = tuple[Any, Any]  # the positions of the rows to fit on, and of those to score on
SEED = 20130101
_SMALL, _LARGE, _HELD_SHARE = 1_000, 20_000, 0.1


class SearchError(Exception):
    """The search cannot run or has found nothing. The message says why."""


def read(table: Json) -> pd.DataFrame:
    """Return a table's files as one."""
    import table_steps  # type: ignore[import-not-found] # it lies beside this package

    found: pd.DataFrame = table_steps.whole(table)
    return found


def tables(settings: Json) -> dict[str, pd.DataFrame]:
    """Return the job's tables, without the rows that have no target. A share of the training data may be the test."""
    found = {name: read(table) for name, table in settings["tables"].items()}
    named = {"target_column_name": [settings["target"]], "weight_column_name": [settings["weight"]]}
    named["cv_split_column_names"] = settings["cv_split_columns"]
    if settings["forecasting"]:
        named["time_column_name"] = [settings["forecasting"]["time"]]
        named["time_series_id_column_names"] = settings["forecasting"]["series"]
    for name, table in found.items():
        for setting, columns in named.items():
            if name != "training_data" and setting in ("weight_column_name", "cv_split_column_names"):
                continue
            for column in columns:
                if column and column not in table:
                    known = ", ".join(map(str, table.columns))
                    raise SearchError(f"{setting}: {name} has no column '{column}', only: {known}")
    found = {name: table.dropna(subset=[settings["target"]]) for name, table in found.items()}
    if settings["test_share"] and "test_data" not in found:
        train, test = train_test_split(found["training_data"], test_size=settings["test_share"], random_state=SEED)
        found |= {"training_data": train, "test_data": test}
    return {name: table.reset_index(drop=True) for name, table in found.items()}


def folds(settings: Json, rows: pd.DataFrame, truth: Any) -> list[Fold]:
    """Return the divisions of the training rows: several for cross-validation, one with a share that is held out.

    Without a setting, they are Azure's: ten folds below a thousand rows, three below 20,000, else a tenth of the rows.
    """
    if settings["cv_split_columns"]:
        return list(_by_columns(rows, settings["cv_split_columns"]))
    count, share = settings["folds"], settings["validation_share"]
    if not count and not share:
        if len(rows) >= _LARGE:
            share = _HELD_SHARE
        else:
            count = 10 if len(rows) < _SMALL else 3
    classes = settings["task"] == "classification"
    fewest = int(pd.Series(truth).value_counts().min()) if classes else len(rows)
    if share:
        labels = truth if classes and fewest > 1 else None
        positions = np.arange(len(rows))
        return [tuple(train_test_split(positions, test_size=share, random_state=SEED, stratify=labels))]
    splitter = StratifiedKFold if classes and fewest >= count else KFold
    return list(splitter(count, shuffle=True, random_state=SEED).split(rows, truth))


def _by_columns(rows: pd.DataFrame, columns: list[str]) -> Iterator[Fold]:
    """Yield the divisions that columns have: 1 for a row to fit on, 0 for a row to score on."""
    for column in columns:
        marks = rows[column].to_numpy()
        if not set(np.unique(marks)) == {0, 1}:
            raise SearchError(f"cv_split_column_names: column '{column}' must have 1 for training and 0 for validation")
        yield np.flatnonzero(marks == 1), np.flatnonzero(marks == 0)
