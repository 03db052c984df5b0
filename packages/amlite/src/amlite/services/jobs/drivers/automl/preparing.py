"""Featurization: a table's columns become numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
from sklearn.base import BaseEstimator, TransformerMixin  # type: ignore[import-untyped]
from sklearn.compose import ColumnTransformer  # type: ignore[import-untyped]
from sklearn.impute import SimpleImputer  # type: ignore[import-untyped]
from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder  # type: ignore[import-untyped]

from .reading import Json, SearchError

_MOSTLY_UNIQUE, _FEW = 0.9, 20
# The service's names of the ways to encode a category, in the order of preference.
ENCODERS: dict[str, Callable[[], Any]] = {
    "OneHotEncoder": lambda: OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=2, sparse_output=False),
    "LabelEncoder": lambda: OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
    ),
    "CatTargetEncoder": lambda: TargetEncoder(random_state=0),
}


class Moments(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Points in time as numbers: year, month, day, day of the week, hour."""

    def fit(self, rows: Any, truth: Any = None) -> Moments:
        """Learn nothing."""
        self.n_features_in_ = rows.shape[1]
        return self

    def transform(self, rows: Any) -> Any:
        """Return five numbers for each column. They are -1 for a missing time."""
        parts = []
        for name in rows.columns:
            time = pd.to_datetime(rows[name], errors="coerce").dt
            parts += [time.year, time.month, time.day, time.dayofweek, time.hour]
        return np.column_stack([part.fillna(-1).to_numpy(dtype=float) for part in parts])


def preparation(featurization: Json, rows: pd.DataFrame) -> Any:
    """Return a transformer of a table's columns that is not fitted."""
    if featurization["mode"] == "off":
        others = [str(name) for name in rows if not pd.api.types.is_numeric_dtype(rows[name])]
        if others:
            raise SearchError(f"featurization is off, and these columns are not numbers: {', '.join(others)}")
        return "passthrough"
    kinds = {name: _kind(featurization["columns"].get(name), rows[name]) for name in rows}
    unknown = sorted(set(featurization["columns"]) - set(kinds))
    if unknown:
        raise SearchError(f"column_name_and_types: the training data has no column {', '.join(unknown)}")
    encode = next(make for name, make in ENCODERS.items() if name not in featurization["blocked"])
    chosen: list[tuple[str, Any, list[str]]] = []
    for number, (imputer, names) in enumerate(_imputers(featurization, kinds)):
        chosen.append((f"numbers_{number}", imputer, names))
    categories, times = ([name for name in kinds if kinds[name] == kind] for kind in ("Categorical", "DateTime"))
    if categories:
        chosen.append(("categories", make_pipeline(Texts(), encode()), categories))
    if times:
        chosen.append(("times", Moments(), times))
    if not chosen:
        raise SearchError("the training data has no column to learn from")
    return ColumnTransformer(chosen, sparse_threshold=0)


class Texts(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Categories as text, so that numbers, booleans and missing values may be among them."""

    def fit(self, rows: Any, truth: Any = None) -> Texts:
        """Learn nothing."""
        self.n_features_in_ = rows.shape[1]
        return self

    def transform(self, rows: Any) -> Any:
        """Return the same values as text."""
        return rows.astype("object").where(rows.notna(), "").astype(str)


def _imputers(featurization: Json, kinds: dict[str, str]) -> list[tuple[Any, list[str]]]:
    """Return the ways to fill gaps, each with its columns: the settings' own, and the mean for the others."""
    left = [name for name in kinds if kinds[name] == "Numeric"]
    found = []
    for given in featurization["imputers"]:
        names = [name for name in given["fields"] or left if name in left]
        left = [name for name in left if name not in names]
        options = {"fill_value": given["fill_value"]} if given["strategy"] == "constant" else {}
        found.append((SimpleImputer(strategy=given["strategy"], keep_empty_features=True, **options), names))
    found.append((SimpleImputer(strategy="mean", keep_empty_features=True), left))
    return [(imputer, names) for imputer, names in found if names]


def _kind(given: str | None, column: pd.Series) -> str:
    """Return the purpose of a column: the settings' own, or what its values look like."""
    if given:
        return given
    if pd.api.types.is_bool_dtype(column):
        return "Categorical"
    if pd.api.types.is_numeric_dtype(column):
        return "Numeric"
    if pd.api.types.is_datetime64_any_dtype(column):
        return "DateTime"
    values = column.dropna()
    if values.empty or (values.nunique() > max(_FEW, _MOSTLY_UNIQUE * len(values)) and not _are_times(values)):
        return "Ignore"
    return "DateTime" if _are_times(values) else "Categorical"


def _are_times(values: pd.Series) -> bool:
    few = values.astype(str).head(_FEW)
    return bool(few.str.match(r"\d{4}-\d\d-\d\d").all() and pd.to_datetime(few, errors="coerce").notna().all())
