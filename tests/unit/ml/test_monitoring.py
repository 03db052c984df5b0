"""The drift job: statistics with known answers, collected data in every form, and its results."""

import json
import math
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient

from tests.unit.ml.conftest import ROOT
from tests.unit.ml.test_steps import RunStep, run_step, tracking_uri

__all__ = ["run_step", "tracking_uri"]
SOURCE = "ml/monitoring/src"
DEPLOYMENT = "/subscriptions/s/onlineEndpoints/flight-delay-dev/deployments/blue-1a2b3c4d"
NOW = datetime(2026, 3, 9, 8, 30, tzinfo=UTC)
SCHEMA = json.loads((ROOT / "docs/monitoring-report.schema.json").read_text("utf-8"))

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*``noload`` loader strategy is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
]
Step = Callable[[str, str], ModuleType]


def record(rows: list[dict[str, Any]], at: datetime, number: int = 0, **more: Any) -> dict[str, Any]:
    """Return a record as Azure writes it."""
    time = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    ids = {"id": f"id-{number}", "correlationid": f"request-{number}"}
    return {"specversion": "1.0", **ids, "source": DEPLOYMENT, "time": time, "data": rows, **more}


def collect(folder: Path, collection: str, records: list[dict[str, Any]], hour: str) -> Path:
    file = folder / collection / hour / "instance.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as lines:
        lines.writelines(json.dumps(each) + "\n" for each in records)
    return file


def collected(folder: Path, inputs: pd.DataFrame, predictions: list[float], at: datetime, model: str = "m:3") -> None:
    hour = at.strftime("%Y/%m/%d/%H")
    collect(folder, "model_inputs", [record(json.loads(inputs.to_json(orient="records")), at)], hour)
    rows = [{"delay_probability": value, "delayed": value > 0.5, "model": model} for value in predictions]
    collect(folder, "model_outputs", [record(rows, at)], hour)


@pytest.mark.parametrize(
    ("metric", "reference", "window", "expected"),
    [
        # A shift by 1, in standard deviations of 0.5.
        ("normalized_wasserstein_distance", [0.0, 1.0], [1.0, 2.0], 2.0),
        ("normalized_wasserstein_distance", [0.0, 1.0], [1.0, 0.0], 0.0),
        ("two_sample_kolmogorov_smirnov_test", [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 1.0),
        # Two samples of 3 that do not overlap: 2 of the 20 orders are as far apart.
        ("two_sample_kolmogorov_smirnov_test", [1.0, 2.0, 3.0], [4.0, 5.0, 6.0], 0.1),
        ("jensen_shannon_distance", ["a", "b"], ["a", "b"], 0.0),
        ("jensen_shannon_distance", ["a", "a"], ["b", "b"], 1.0),
        # 50:50 becomes 75:25. (0.75 - 0.5) ln 1.5 + (0.25 - 0.5) ln 0.5 = 0.25 ln 3
        ("population_stability_index", ["a"] * 2 + ["b"] * 2, ["a"] * 3 + ["b"], 0.25 * math.log(3)),
        ("pearsons_chi_squared_test", ["a", "b"] * 50, ["a", "b"] * 50, 1.0),
        ("pearsons_chi_squared_test", ["a"], ["a"], 1.0),
    ],
)
def test_a_statistic_has_the_known_answer(
    step: Step, metric: str, reference: list[Any], window: list[Any], expected: float
) -> None:
    distances = step(SOURCE, "distances")
    found = {**distances.CATEGORICAL, **distances.NUMERICAL}[metric](pd.Series(reference), pd.Series(window))
    assert found == pytest.approx(expected, abs=1e-9)


def test_numbers_are_compared_by_the_references_deciles(step: Step) -> None:
    distances = step(SOURCE, "distances")
    reference = pd.Series(np.arange(1000.0))
    assert distances.jensen_shannon(reference, pd.Series(np.arange(1000.0) + 0.25)) < 0.01
    # All in the upper tenth: of base 2, JS distance = sqrt((1.1 / 2) log2 ... ) is known for one bin of ten.
    middle = 0.5 * (0.1 + 1)
    divergence = 0.5 * (0.9 + 0.1 * math.log2(0.1 / middle)) + 0.5 * math.log2(1 / middle)
    high = pd.Series(np.full(50, 999.0))
    assert distances.jensen_shannon(reference, high) == pytest.approx(math.sqrt(divergence))


def window_of(step: Step, hours: float = 24) -> Any:
    return step(SOURCE, "collected").Window(NOW - timedelta(hours=hours), NOW)


def test_records_of_every_rolling_rate_are_read_and_those_outside_the_window_are_not(
    step: Step, tmp_path: Path
) -> None:
    """How-to-collect-production-data: `rolling_rate` decides the folders."""
    recent, old = NOW - timedelta(hours=1), NOW - timedelta(days=3)
    for number, hour in enumerate(("2026", "2026/03", "2026/03/09", "2026/03/09/07", "2026/03/09/07/30")):
        collect(tmp_path, "model_inputs", [record([{"a": number}], recent), record([{"a": 99}], old)], hour)
    collect(tmp_path, "model_inputs", [record([{"a": 98}], recent)], "2026/03/01/07")
    collect(tmp_path, "model_inputs", [record([{"a": 97}], recent)], "elsewhere")
    found = step(SOURCE, "collected").read(tmp_path, "model_inputs", window_of(step))
    assert sorted(found.rows["a"]) == [0, 1, 2, 3, 4]
    assert set(found.origins["deployment"]) == {"blue-1a2b3c4d"}
    assert found.unreadable == 0


def test_batched_records_large_data_and_broken_lines_are_read_as_far_as_possible(step: Step, tmp_path: Path) -> None:
    """The page's "Data collector batching" and "Store large payloads"."""
    hour, at = "2026/03/09/08", NOW - timedelta(minutes=5)
    large = record([], at, 7) | {"data": "https://account.blob.core.windows.net/c/x/id-7", "datainblob": "true"}
    gone = record([], at, 8) | {"data": "https://account.blob.core.windows.net/c/x/id-8", "datainblob": "true"}
    file = collect(tmp_path, "model_inputs", [record([{"a": 1}, {"a": 2}], at), large, gone], hour)
    (file.parent / "id-7").write_text('[{"a": 3}]', "utf-8")
    with file.open("a", encoding="utf-8") as lines:
        lines.write('{broken\n{"time": "2026-03-09T08:00:00Z"}\n')
    found = step(SOURCE, "collected").read(tmp_path, "model_inputs", window_of(step))
    assert list(found.rows["a"]) == [1, 2, 3]
    assert found.unreadable == 3


@pytest.fixture
def reference(feature_rows: pd.DataFrame) -> pd.DataFrame:
    return feature_rows.drop(columns="delayed")


@pytest.fixture
def thresholds(step: Step) -> Any:
    return step(SOURCE, "signals").read_thresholds(ROOT / SOURCE / "thresholds.yml")


def over(report: Any) -> set[str]:
    return {finding.name for finding in report.findings if finding.exceeded}


def test_data_like_the_reference_is_no_drift_and_the_models_and_deployments_are_named(
    step: Step, tmp_path: Path, reference: pd.DataFrame, thresholds: Any
) -> None:
    monitoring = step(SOURCE, "monitoring")
    collected(tmp_path, reference.sample(300, random_state=1), [0.2, 0.6] * 150, NOW - timedelta(hours=2))
    collected(tmp_path, reference.sample(300, random_state=2), [0.2, 0.6] * 150, NOW - timedelta(days=3))
    report = monitoring.compare(tmp_path, reference, window_of(step), thresholds)
    assert (report.status, report.rows, report.detected) == ("compared", 300, False)
    (source,) = report.sources
    assert (source.deployment, source.models, source.rows) == ("blue-1a2b3c4d", ["m:3"], 300)
    assert {finding.signal for finding in report.findings} == {"data_drift", "prediction_drift", "data_quality"}
    jsonschema.validate(report.json(), SCHEMA)


def test_each_kind_of_drift_is_named_by_signal_and_feature(
    step: Step, tmp_path: Path, reference: pd.DataFrame, thresholds: Any
) -> None:
    monitoring = step(SOURCE, "monitoring")
    shifted = reference.sample(300, random_state=1).assign(carrier="ZZ")
    shifted["temperature_f"] = (shifted["temperature_f"] + 40).astype(object)
    shifted.iloc[:60, shifted.columns.get_loc("temperature_f")] = "hot"
    collected(tmp_path, shifted.drop(columns="precipitation_inches"), [0.9] * 300, NOW - timedelta(hours=2))
    collected(tmp_path, reference, [0.2, 0.3] * 300, NOW - timedelta(days=3))
    report = monitoring.compare(tmp_path, reference, window_of(step), thresholds)
    assert over(report) == {
        "data_drift.carrier",
        "data_drift.temperature_f",
        "prediction_drift.delay_probability",
        "prediction_drift.delayed",
        "data_quality.carrier.out_of_bounds_rate",
        "data_quality.temperature_f.data_type_error_rate",
        "data_quality.temperature_f.out_of_bounds_rate",
        "data_quality.precipitation_inches.null_value_rate",
    }
    assert report.notes == ["Missing in model_inputs: precipitation_inches. They count as empty."]
    assert monitoring.tags(report)["drift_detected"] == "true"
    html = report.html()
    assert "Drift detected" in html
    assert "carrier" in html
    jsonschema.validate(report.json(), SCHEMA)


def test_predictions_of_another_model_version_are_not_a_reference(
    step: Step, tmp_path: Path, reference: pd.DataFrame, thresholds: Any
) -> None:
    collected(tmp_path, reference, [0.9] * 600, NOW - timedelta(hours=2), model="m:4")
    collected(tmp_path, reference, [0.1] * 600, NOW - timedelta(days=3), model="m:3")
    report = step(SOURCE, "monitoring").compare(tmp_path, reference, window_of(step), thresholds)
    assert "prediction_drift" not in {finding.signal for finding in report.findings}
    assert "No prediction drift: m:4 made 0 predictions before the window." in report.notes[0]


@pytest.mark.parametrize(("rows", "status"), [(0, "no_data"), (5, "not_enough_rows")])
def test_too_few_rows_are_a_result_and_not_a_drift(
    step: Step, tmp_path: Path, reference: pd.DataFrame, thresholds: Any, rows: int, status: str
) -> None:
    if rows:
        collected(tmp_path, reference.head(rows), [0.5] * rows, NOW - timedelta(hours=2))
    monitoring = step(SOURCE, "monitoring")
    report = monitoring.compare(tmp_path, reference, window_of(step), thresholds)
    assert (report.status, report.detected, report.findings) == (status, False, [])
    found = f"{rows} rows were collected" if rows else "No data was collected in the window"
    assert report.reason == f"{found}. A comparison needs 100 rows."
    assert monitoring.tags(report)["drift_detected"] == "false"
    jsonschema.validate(report.json(), SCHEMA)


@pytest.fixture
def model(step: Step, tmp_path: Path, feature_rows: pd.DataFrame) -> Path:
    """A model of the component `train`."""
    train = step("ml/train/src", "train")
    features = feature_rows.drop(columns="delayed")
    fitted = train.build_model(features, 0.1, 5, 1).fit(features, feature_rows["delayed"])
    train.save_model(fitted, train.describe_inputs(features), {"training_run_id": "run-1"}, tmp_path / "model")
    return tmp_path / "model"


def first_window(folder: Path, reference: pd.DataFrame, predictions: list[float], run: str) -> None:
    """Collect rows like the hold-out, with the predictions of a model that served nothing before."""
    at = NOW - timedelta(hours=2)
    collect(folder, "model_inputs", [record(json.loads(reference.to_json(orient="records")), at)], "2026/03/09/06")
    rows = [
        {"delay_probability": value, "delayed": value > 0.5, "model": "m:4", "training_run_id": run}
        for value in predictions
    ]
    collect(folder, "model_outputs", [record(rows, at)], "2026/03/09/06")


def test_in_its_first_window_a_model_is_compared_with_its_predictions_for_the_hold_out(
    step: Step, tmp_path: Path, reference: pd.DataFrame, thresholds: Any, model: Path
) -> None:
    """Microsoft's page on model monitoring: the reference of prediction drift is validation data or recent data."""
    monitoring, expected = step(SOURCE, "monitoring"), step(SOURCE, "baseline").predictions(model, reference)
    first_window(tmp_path / "same", reference, list(expected["delay_probability"]), "run-1")
    report = monitoring.compare(tmp_path / "same", reference, window_of(step), thresholds, model)
    found = {each.feature: each.value for each in report.findings if each.signal == "prediction_drift"}
    assert found == {"delay_probability": pytest.approx(0, abs=1e-9), "delayed": pytest.approx(0, abs=1e-9)}
    assert report.notes[0].startswith("The reference of the predictions is what the model predicts for the hold-out")
    first_window(tmp_path / "other", reference, [0.99] * len(reference), "run-1")
    report = monitoring.compare(tmp_path / "other", reference, window_of(step), thresholds, model)
    assert {"prediction_drift.delay_probability", "prediction_drift.delayed"} <= over(report)


def test_the_predictions_of_another_training_run_are_not_compared_with_the_promoted_model(
    step: Step, tmp_path: Path, reference: pd.DataFrame, thresholds: Any, model: Path
) -> None:
    first_window(tmp_path, reference, [0.99] * len(reference), "run-2")
    report = step(SOURCE, "monitoring").compare(tmp_path, reference, window_of(step), thresholds, model)
    assert "prediction_drift" not in {finding.signal for finding in report.findings}
    assert report.notes[0].startswith("No prediction drift: m:4 made 0 predictions before the window.")


def test_a_folder_that_is_no_model_is_refused(step: Step, tmp_path: Path) -> None:
    baseline = step(SOURCE, "baseline")
    with pytest.raises(baseline.CollectedError, match=r"^model: .* is not an MLflow model"):
        baseline.training_run(tmp_path)


def test_before_anything_was_collected_the_step_completes_and_says_so(
    tmp_path: Path, run_step: RunStep, reference: pd.DataFrame, tracking_uri: str, step: Step
) -> None:
    """The container of the collected data exists, and the folder of the deployment does not."""
    held_out, container, out = tmp_path / "test", tmp_path / "container", tmp_path / "report"
    held_out.mkdir()
    container.mkdir()
    reference.assign(delayed=0).to_parquet(held_out / "part-0.parquet")
    given = {"collected": container, "reference": held_out, "report": out}
    run_step("monitoring", folder="flight-delay/blue", **given)
    report = json.loads((out / "report.json").read_text("utf-8"))
    jsonschema.validate(report, SCHEMA)
    assert (report["status"], report["drift_detected"]) == ("no_data", False)
    assert report["reason"].startswith("No data was collected in the window.")
    assert report["notes"] == ["No deployment has collected data in the folder flight-delay/blue yet."]
    (run,) = MlflowClient(tracking_uri).search_runs(["0"])
    assert (run.data.tags["drift_detected"], run.data.tags["monitoring_status"]) == ("false", "no_data")
    with pytest.raises(SystemExit, match=r"monitoring: folder: .* is not a folder of the container"):
        run_step("monitoring", folder="../other", **given)


def test_data_that_cannot_be_compared_at_all_is_refused(
    step: Step, tmp_path: Path, reference: pd.DataFrame, thresholds: Any
) -> None:
    monitoring = step(SOURCE, "monitoring")
    collect(tmp_path / "other", "model_inputs", [record([{"x": 1}] * 200, NOW - timedelta(hours=1))], "2026/03/09/07")
    with pytest.raises(monitoring.CollectedError, match="none of the reference's columns; it has x"):
        monitoring.compare(tmp_path / "other", reference, window_of(step), thresholds)
    file = collect(tmp_path / "broken", "model_inputs", [], "2026/03/09/07")
    file.write_text("{\n{\n", "utf-8")
    with pytest.raises(monitoring.CollectedError, match="none of the 2 records of model_inputs can be read"):
        monitoring.compare(tmp_path / "broken", reference, window_of(step), thresholds)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"minimum_row": 5}, "unknown key 'minimum_row'"),
        ({"minimum_rows": "many"}, "minimum_rows: must be a number"),
        ({"data_drift": {"numerical": {}}}, "data_drift: add the key 'categorical'"),
        (
            {"data_drift": {"numerical": {"metric": "psi", "threshold": 1}, "categorical": {}}},
            "unknown metric 'psi'; use one of jensen_shannon_distance, normalized_wasserstein_distance",
        ),
        ({"data_quality": {"null_value_rate": 0.1}}, "data_quality: add the key 'data_type_error_rate'"),
        ({"prediction_drift": None}, "prediction_drift"),
    ],
)
def test_a_mistake_in_the_thresholds_is_named(step: Step, tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    signals = step(SOURCE, "signals")
    content = yaml.safe_load((ROOT / SOURCE / "thresholds.yml").read_text("utf-8"))
    file = tmp_path / "thresholds.yml"
    file.write_text(yaml.safe_dump({**content, **change}), "utf-8")
    with pytest.raises(signals.ThresholdError, match=reason) as caught:
        signals.read_thresholds(file)
    assert str(caught.value).startswith("thresholds.yml: ")


def test_the_end_of_the_window_is_a_time_or_now_and_follows_a_clock_that_is_ahead(step: Step) -> None:
    monitoring, window = step(SOURCE, "monitoring"), step(SOURCE, "collected").Window
    assert str(monitoring.window_of("2026-03-01T06:00:00", 2, None)) == "2026-03-01T04:00:00Z/2026-03-01T06:00:00Z"
    now = monitoring.window_of("now", 1, window(NOW - timedelta(days=9999), NOW)).end
    assert abs(now - datetime.now(UTC)) < timedelta(minutes=5)
    ahead = window(now + timedelta(days=3), now + timedelta(days=3, hours=1))
    assert monitoring.window_of("now", 1, ahead).end == ahead.end
    for end, hours, reason in (("soon", 1, "'soon' is not a time"), ("now", 0, "must be more than 0, not 0")):
        with pytest.raises(monitoring.CollectedError, match=reason):
            monitoring.window_of(end, hours, None)


def test_the_step_completes_with_a_report_tags_and_metrics(
    tmp_path: Path, run_step: RunStep, reference: pd.DataFrame, tracking_uri: str, step: Step
) -> None:
    """What alerts and Event Grid subscriptions read: the tag `drift_detected` and the metric `drift.detected`."""
    held_out = tmp_path / "test"
    held_out.mkdir()
    reference.assign(delayed=0).to_parquet(held_out / "part-0.parquet")
    data, out = tmp_path / "collected", tmp_path / "report"
    collected(data, reference.assign(carrier="ZZ"), [0.5] * 600, NOW - timedelta(hours=2))
    given = {"collected": data, "reference": held_out, "window_end": "2026-03-09T08:30:00Z", "report": out}
    run_step("monitoring", **given)
    report = json.loads((out / "report.json").read_text("utf-8"))
    jsonschema.validate(report, SCHEMA)
    assert report["drift_detected"] is True
    assert (out / "report.html").is_file()
    (run,) = MlflowClient(tracking_uri).search_runs(["0"])
    assert run.data.tags["drift_detected"] == "true"
    assert run.data.tags["monitored_models"] == "m:3"
    assert run.data.metrics["drift.detected"] == 1
    assert run.data.metrics["drift.data_drift.carrier"] == pytest.approx(1.0)
    shutil.rmtree(held_out)
    held_out.mkdir()
    with pytest.raises(SystemExit, match="monitoring: reference: no Parquet file"):
        run_step("monitoring", **given)
