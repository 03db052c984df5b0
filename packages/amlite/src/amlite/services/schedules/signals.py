"""The metrics of a monitor's signals, on rows of collected and reference data.

Names are those of Microsoft's page "CLI (v2) schedule YAML schema for model monitoring". A test's metric is a p-value,
which violates its threshold from below. All others violate it from above.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from amlite.core.wire import Json

_BINS = 10
_TESTS = ("TwoSampleKolmogorovSmirnovTest", "PearsonsChiSquaredTest")
# The thresholds that the service uses where none is given.
_DEFAULTS = {
    "JensenShannonDistance": 0.1,
    "NormalizedWassersteinDistance": 0.1,
    "PopulationStabilityIndex": 0.2,
    "TwoSampleKolmogorovSmirnovTest": 0.05,
    "PearsonsChiSquaredTest": 0.05,
    "NullValueRate": 0.0,
    "DataTypeErrorRate": 0.0,
    "OutOfBoundsRate": 0.0,
}
_NAMES = {name.lower(): name for name in _DEFAULTS}


class UnusableDataError(Exception):
    """Data that a signal cannot be computed on."""


@dataclass(frozen=True)
class Value:
    """A metric of a feature, and whether it violates its threshold."""

    feature: str
    metric: str
    value: float
    breached: bool


def parse(name: str, text: str, start: dt.datetime | None, end: dt.datetime | None) -> list[Json]:
    """Return the rows of a file: collected records (JSON lines of CloudEvents), plain JSON lines, or CSV."""
    if name.endswith(".csv"):
        try:
            return [{key: _number(value) for key, value in row.items()} for row in csv.DictReader(io.StringIO(text))]
        except (csv.Error, TypeError) as error:  # TypeError: a row has more fields than the header
            raise UnusableDataError(f"'{name}' is not a CSV file: {error}") from error
    if not name.endswith((".jsonl", ".json")):
        raise UnusableDataError(f"'{name}' is neither CSV nor JSON lines, which is what amlite reads")
    rows: list[Json] = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            record = json.loads(line)
            at = moment(record["time"]) if "specversion" in record else None
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise UnusableDataError(f"'{name}', line {number}, is neither a JSON object nor a CloudEvent") from error
        if not isinstance(record, dict):
            raise UnusableDataError(f"'{name}', line {number}, is not a JSON object")
        if at is None:
            rows.append(record)
            continue
        if (start is None or at >= start) and (end is None or at < end) and isinstance(record.get("data"), list):
            rows += [row for row in record["data"] if isinstance(row, dict)]
    return rows


def moment(text: str) -> dt.datetime:
    """Return a time. Without a time zone, it is UTC."""
    found = dt.datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=dt.UTC)


def _number(text: str | None) -> Any:
    try:
        return float(text) if text not in (None, "") else None
    except ValueError:
        return text


def evaluate(signal: Json, production: list[Json], reference: list[Json]) -> list[Value]:
    """Return the metrics of a signal for each feature."""
    known = list(dict.fromkeys(key for row in reference for key in row))
    wanted = (signal.get("features") or {}).get("features") or known
    overridden = signal.get("featureDataTypeOverride") or {}
    found = []
    for feature in wanted:
        old = [row.get(feature) for row in reference]
        new = [row.get(feature) for row in production]
        kind = str(overridden.get(feature) or ("Numerical" if _numeric(old) else "Categorical")).capitalize()
        for threshold in signal.get("metricThresholds") or []:
            if threshold.get("dataType", kind).capitalize() != kind:
                continue
            metric = _NAMES.get(threshold["metric"].replace("_", "").lower(), threshold["metric"])
            try:
                value = _metric(signal["signalType"], kind, metric, old, new)
            except (ValueError, TypeError, ArithmeticError) as error:  # such as of infinite numbers
                raise UnusableDataError(f"{metric} of '{feature}' cannot be computed: {error}") from error
            given = (threshold.get("threshold") or {}).get("value")
            limit = _DEFAULTS.get(metric, 0.0) if given is None else float(given)
            found.append(Value(feature, metric, value, value < limit if metric in _TESTS else value > limit))
    return found


def _numeric(values: list[Any]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in known)


def _metric(signal: str, kind: str, metric: str, old: list[Any], new: list[Any]) -> float:
    if signal == "DataQuality":
        return _quality(kind, metric, old, new)
    import numpy as np
    from scipy import stats  # type: ignore[import-untyped]

    before, after = [value for value in old if value is not None], [value for value in new if value is not None]
    if not after:
        return math.inf
    if kind == "Numerical":
        one, other = (
            np.array(before, dtype=float),
            np.array([v for v in after if isinstance(v, int | float)], dtype=float),
        )
        if metric == "NormalizedWassersteinDistance":
            return float(stats.wasserstein_distance(one, other) / (one.std() or 1.0))
        if metric == "TwoSampleKolmogorovSmirnovTest":
            return float(stats.ks_2samp(one, other).pvalue)
        edges = np.histogram_bin_edges(np.concatenate([one, other]), bins=_BINS)
        p, q = (np.histogram(each, bins=edges)[0].astype(float) for each in (one, other))
    else:
        names = sorted({str(value) for value in (*before, *after)})
        counts = [Counter(map(str, each)) for each in (before, after)]
        p, q = (np.array([count[name] for name in names], dtype=float) for count in counts)
        if metric == "PearsonsChiSquaredTest":
            return float(stats.chi2_contingency(np.array([p, q]))[1]) if len(names) > 1 else 1.0
    p, q = p / p.sum(), q / q.sum()
    if metric == "JensenShannonDistance":
        middle = (p + q) / 2
        divergence = (stats.entropy(p, middle, base=2) + stats.entropy(q, middle, base=2)) / 2
        return float(math.sqrt(max(divergence, 0.0)))
    p, q = np.clip(p, 1e-4, None), np.clip(q, 1e-4, None)
    return float(((q - p) * np.log(q / p)).sum())


def _quality(kind: str, metric: str, old: list[Any], new: list[Any]) -> float:
    known = [value for value in new if value is not None]
    if metric == "NullValueRate":
        return 1 - len(known) / len(new)
    if metric == "DataTypeErrorRate":
        right = (int, float) if kind == "Numerical" else (str, bool, int, float)
        return sum(not isinstance(value, right) for value in known) / len(new)
    before = [value for value in old if value is not None]
    if kind == "Numerical":
        low, high = min(before, default=math.inf), max(before, default=-math.inf)
        return sum(isinstance(v, int | float) and not low <= v <= high for v in known) / len(new)
    usual = set(map(str, before))
    return sum(str(value) not in usual for value in known) / len(new)
