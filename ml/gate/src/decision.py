"""The decision: every rule, checked on the whole hold-out and on its slices."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from metrics import measure
from predictions import CHAMPION, Champion, Predictions
from rules import MEASURED, Rule, Rules, Slice

DECISION_VERSION = 1
REPORT = "report.html"
MAX_VALUES = 50
"""A column with more values than this is no slice, unless the rule names the values."""
_MAX_REASONS = 5
_EXACT = 1e-9  # 0.7 - 0.6 is a bit less than 0.1


@dataclass(frozen=True)
class Compared:
    """A metric of both models on the same rows. Where a value is None, the text says why."""

    value: float | None
    problem: str = ""
    champion: float | None = None
    champion_problem: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing that a check found, as a clause."""

    passed: bool
    text: str


@dataclass(frozen=True)
class Check:
    """One rule on the whole hold-out or on a slice. The fields are those of `checks` in decision.json."""

    metric: str
    slice: str | None
    direction: str
    value: float | None
    threshold: float | None
    champion: float | None
    margin: float | None
    passed: bool
    why: str
    rows: int


def decide(rules: Rules, logged: Mapping[str, float], predictions: Predictions, model: str) -> dict[str, Any]:
    """Return the content of decision.json.

    Args:
        rules: Content of gate.yml.
        logged: Metrics that the evaluation run logged to MLflow.
        predictions: Predictions of both models.
        model: Name of the registered model.
    """
    checks: list[Check] = []
    failed: list[str] = []
    held: list[str] = []
    for rule in rules.rules:
        for check, findings in _checks(rule, logged, predictions):
            checks.append(check)
            failed += [_at(check, finding.text) for finding in findings if not finding.passed]
            if check.slice is None:
                held += [finding.text for finding in findings]
    accept = all(check.passed for check in checks)
    return {
        "decision_version": DECISION_VERSION,
        "deploy_flag": int(accept),
        "reason": _reason(_held(held, predictions.no_champion) + _slices_held(checks) if accept else failed),
        "model": model,
        "metrics": {name: _finite(value) for name, value in sorted(logged.items()) if not name.startswith(CHAMPION)},
        "checks": [asdict(check) for check in checks],
        "champion": _champion(logged, predictions.champion),
        "slices": _slices(checks),
        "report": REPORT,
    }


def number(value: float | None) -> str:
    """Return a metric's value for a reader."""
    if value is None:
        return "none"
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:,.1f}"


def _checks(rule: Rule, logged: Mapping[str, float], predictions: Predictions) -> Iterator[tuple[Check, list[Finding]]]:
    yield _check(rule, None, rule.threshold, rule.margin, _logged(rule.metric, logged, predictions), predictions)
    for part in rule.slices:
        yield from _slice_checks(rule, part, predictions)


def _logged(metric: str, logged: Mapping[str, float], predictions: Predictions) -> Compared:
    """Return a metric of the whole hold-out, from MLflow."""

    def read(name: str) -> tuple[float | None, str]:
        if name not in logged:
            return None, f"the evaluation run has no metric {name}; it has {', '.join(sorted(logged)) or 'none'}"
        value = _finite(logged[name])
        return value, "" if value is not None else f"the evaluation run logged {logged[name]}"

    value, problem = read(metric)
    champion, champion_problem = read(f"{CHAMPION}{metric}")
    if predictions.champion is not None and predictions.champion.problem:
        champion, champion_problem = None, predictions.champion.problem
    return Compared(value, problem, champion, champion_problem)


def _slice_checks(rule: Rule, part: Slice, predictions: Predictions) -> Iterator[tuple[Check, list[Finding]]]:
    """Yield the check of each value of a column. A slice that cannot be checked is refused."""
    threshold = rule.threshold_of(part)
    if part.column not in predictions.table:
        known = ", ".join(map(str, predictions.table.columns))
        yield _refused(
            rule, part.column, threshold, part.margin, f"the predictions have no such column; columns: {known}"
        )
        return
    texts = predictions.table[part.column].map(str, na_action="ignore")
    counts = texts.value_counts().sort_index()
    if part.values is None:
        values = [str(value) for value, rows in counts.items() if rows >= part.minimum_rows]
        if len(values) > MAX_VALUES:
            problem = f"the column has {len(values)} values; list up to {MAX_VALUES} in `values`"
            yield _refused(rule, part.column, threshold, part.margin, problem)
            return
        if not values:
            problem = f"no value of the column has at least {part.minimum_rows} rows"
            yield _refused(rule, part.column, threshold, part.margin, problem)
    else:
        values = [str(value) for value in part.values]
    for value in values:
        name, rows = f"{part.column}={value}", int(counts.get(value, 0))
        if rows < part.minimum_rows:
            problem = f"the hold-out has {rows} rows with this value; {part.minimum_rows} are needed"
            yield _refused(rule, name, threshold, part.margin, problem, rows)
            continue
        chosen = (texts == value).to_numpy(dtype=bool, na_value=False)
        measured = _on_rows(rule.metric, chosen, predictions)
        yield _check(rule, name, threshold, part.margin, measured, predictions, rows)


def _on_rows(metric: str, chosen: Any, predictions: Predictions) -> Compared:
    """Return a metric of both models on some rows, from the predictions."""
    if metric not in MEASURED:  # rules.py refuses it earlier
        return Compared(None, f"the gate cannot compute {metric}")
    label = predictions.label[chosen]
    value, problem = measure(metric, label, predictions.predicted[chosen])
    other = predictions.champion_predicted
    if other is None:
        named = predictions.champion.problem if predictions.champion is not None else ""
        return Compared(value, problem, None, named or "the predictions do not have its column")
    champion, champion_problem = measure(metric, label, other[chosen])
    return Compared(value, problem, champion, champion_problem)


def _check(
    rule: Rule,
    name: str | None,
    threshold: float | None,
    margin: float | None,
    measured: Compared,
    predictions: Predictions,
    rows: int | None = None,
) -> tuple[Check, list[Finding]]:
    findings = list(_findings(rule, threshold, margin, measured, predictions))
    check = Check(
        metric=rule.metric,
        slice=name,
        direction=rule.direction,
        value=measured.value,
        threshold=threshold,
        champion=measured.champion if predictions.champion is not None else None,
        margin=margin,
        passed=all(finding.passed for finding in findings),
        why="; ".join(finding.text for finding in findings),
        rows=len(predictions.table) if rows is None else rows,
    )
    return check, findings


def _findings(
    rule: Rule, threshold: float | None, margin: float | None, measured: Compared, predictions: Predictions
) -> Iterator[Finding]:
    higher = rule.direction == "higher"
    value, champion = measured.value, predictions.champion
    if value is None:
        yield Finding(False, f"{rule.metric} has no value: {measured.problem}")
        return
    shown = f"{rule.metric} {number(value)}"
    if threshold is not None:
        passed = value >= threshold if higher else value <= threshold
        limit = f"the {'minimum' if higher else 'maximum'} {number(threshold)}"
        did = {
            (True, True): "reaches",
            (True, False): "is below",
            (False, True): "is within",
            (False, False): "is above",
        }[higher, passed]
        yield Finding(passed, f"{shown} {did} {limit}")
    if margin is None:
        return
    if champion is None:
        yield Finding(True, predictions.no_champion)
        return
    against = f"version {champion.version}"
    if measured.champion is None:
        yield Finding(False, f"{against} cannot be compared: {measured.champion_problem}")
        return
    gain = value - measured.champion if higher else measured.champion - value
    passed = gain >= margin or math.isclose(gain, margin, rel_tol=0, abs_tol=_EXACT)
    yield Finding(
        passed,
        f"{rule.metric} improves on {against} ({number(measured.champion)}) by {gain:+.4f}, "
        f"{'at least' if passed else 'less than'} the margin {number(margin)}",
    )


def _refused(
    rule: Rule, name: str, threshold: float | None, margin: float | None, problem: str, rows: int = 0
) -> tuple[Check, list[Finding]]:
    finding = Finding(False, f"{rule.metric} has no value: {problem}")
    check = Check(rule.metric, name, rule.direction, None, threshold, None, margin, False, finding.text, rows)
    return check, [finding]


def _at(check: Check, text: str) -> str:
    return text if check.slice is None else f"{check.slice}: {text}"


def _reason(texts: list[str]) -> str:
    hidden = len(texts) - _MAX_REASONS
    shown = "; ".join(texts[:_MAX_REASONS])
    return shown if hidden <= 0 else f"{shown}; and {hidden} more"


def _champion(logged: Mapping[str, float], champion: Champion | None) -> dict[str, Any] | None:
    if champion is None:
        return None
    metrics = {
        name.removeprefix(CHAMPION): _finite(value)
        for name, value in sorted(logged.items())
        if name.startswith(CHAMPION)
    }
    return {"version": champion.version, "problem": champion.problem, "metrics": metrics}


def _held(texts: list[str], no_champion: str) -> list[str]:
    """Return each text once, the one about a missing registered model last."""
    return sorted(dict.fromkeys(texts), key=lambda text: text == no_champion)


def _slices_held(checks: list[Check]) -> list[str]:
    count = sum(check.slice is not None for check in checks)
    return [f"{count} checks of slices passed"] if count else []


def _slices(checks: list[Check]) -> list[dict[str, Any]]:
    """Return each slice once, with its rows and the values of its metrics."""
    found: dict[str, dict[str, Any]] = {}
    for check in checks:
        if check.slice is not None:
            entry = found.setdefault(
                check.slice, {"slice": check.slice, "rows": check.rows, "metrics": {}, "champion_metrics": {}}
            )
            entry["metrics"][check.metric] = check.value
            entry["champion_metrics"][check.metric] = check.champion
    return list(found.values())


def _finite(value: float) -> float | None:
    """Return the value, or None for a value that JSON does not have."""
    return float(value) if math.isfinite(value) else None
