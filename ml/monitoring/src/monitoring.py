"""Step `monitoring`: compares collected data with the hold-out, and tags the run with `drift_detected`."""

import argparse
import json
import logging
import os
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import baseline
import mlflow
import pandas as pd
from collected import INPUTS, OUTPUTS, Collected, CollectedError, Window, newest, read, stamp
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from report import Report, Source
from signals import (
    DATA_DRIFT,
    PREDICTION_DRIFT,
    Finding,
    ThresholdError,
    Thresholds,
    drift,
    quality,
    read_thresholds,
)

log = logging.getLogger("monitoring")

TARGET = "delayed"
PREDICTIONS = ("delay_probability", "delayed")
MODEL = "model"
KEPT = Path("outputs")
"""Azure ML uploads this folder of a job to its artifacts. An upload by MLflow's client may give up early."""
_TAG_CHARACTERS = 400


def read_reference(folder: Path) -> pd.DataFrame:
    """Return the features of the hold-out that `prep` wrote.

    Raises:
        CollectedError: There are no rows.
    """
    if not any(folder.glob("*.parquet")):
        message = f"reference: no Parquet file in {folder}"
        raise CollectedError(message)
    return pd.read_parquet(folder).drop(columns=TARGET, errors="ignore")


def window_of(end: str, hours: float, latest: Window | None) -> Window:
    """Return the window of some hours with an end.

    Args:
        end: A time, or `now`.
        hours: Length of the window.
        latest: Period of the newest data. If the clock of the endpoint is ahead of this one, `now` is its end.

    Raises:
        CollectedError: The end is not a time, or the length is not positive.
    """
    if hours <= 0:
        message = f"window_hours: must be more than 0, not {hours}"
        raise CollectedError(message)
    if end == "now":
        now = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)  # records have whole seconds
        last = latest.end if latest is not None and latest.start > now else now
    else:
        try:
            last = datetime.fromisoformat(end)
        except ValueError as error:
            message = f"window_end: {end!r} is not a time; use for example 2026-03-01T06:00:00Z, or now"
            raise CollectedError(message) from error
        last = last if last.tzinfo else last.replace(tzinfo=UTC)
    return Window(last - timedelta(hours=hours), last)


def folder_of(collected: Path, name: str) -> Path:
    """Return the folder of the collections. It does not exist before a deployment has collected data.

    Raises:
        CollectedError: The name leads out of the container.
    """
    folder = (collected / name).resolve()
    if not folder.is_relative_to(collected.resolve()):
        message = f"folder: {name!r} is not a folder of the container; use for example flight-delay/blue"
        raise CollectedError(message)
    return folder


def compare(
    folder: Path, reference: pd.DataFrame, window: Window, thresholds: Thresholds, model: Path | None = None
) -> Report:
    """Compare what was collected in a window with the reference.

    Args:
        folder: The folder of the collections.
        reference: The hold-out.
        window: The period to compare.
        thresholds: The limits.
        model: The model that serves, to make a reference for its first predictions.

    Raises:
        CollectedError: No record of the window can be read, or none of the reference's columns is there.
        ThresholdError: A threshold does not fit its column.
    """
    inputs, outputs = read(folder, INPUTS, window), read(folder, OUTPUTS, window)
    rows, unreadable = len(inputs.rows), inputs.unreadable + outputs.unreadable
    if not rows and inputs.unreadable:
        message = f"collected: none of the {inputs.unreadable} records of {INPUTS} can be read"
        raise CollectedError(message)
    notes = [f"{unreadable} records could not be read."] if unreadable else []
    period = {"start": stamp(window.start), "end": stamp(window.end)}
    if rows < thresholds.minimum_rows:
        status = "not_enough_rows" if rows else "no_data"
        collected = f"{rows} rows were collected" if rows else "No data was collected in the window"
        reason = f"{collected}. A comparison needs {thresholds.minimum_rows} rows."
        if not folder.is_dir():
            notes.append(f"No deployment has collected data in the folder {folder.parent.name}/{folder.name} yet.")
        return Report(status, reason, period, rows, len(reference), sources(inputs, outputs), [], notes)
    missing = [name for name in reference.columns if name not in inputs.rows]
    if len(missing) == len(reference.columns):
        message = f"collected: {INPUTS} has none of the reference's columns; it has {', '.join(inputs.rows.columns)}"
        raise CollectedError(message)
    if missing:
        notes.append(f"Missing in {INPUTS}: {', '.join(missing)}. They count as empty.")
    if unknown := [str(name) for name in inputs.rows.columns if name not in reference]:
        notes.append(f"Not in the reference, and not compared: {', '.join(unknown)}.")
    findings = drift(DATA_DRIFT, reference, inputs.rows, thresholds.data_drift)

    def hold_out(run: str) -> pd.DataFrame | None:
        return baseline.predictions(model, reference) if model and baseline.training_run(model) == run else None

    findings += predictions(folder, outputs, window, thresholds, notes, hold_out)
    findings += quality(reference, inputs.rows, thresholds.data_quality)
    over = [finding.name for finding in findings if finding.exceeded]
    reason = f"{len(over)} of {len(findings)} metrics pass their thresholds" + (
        f": {', '.join(over)}." if over else "."
    )
    return Report("compared", reason, period, rows, len(reference), sources(inputs, outputs), findings, notes)


def predictions(
    folder: Path,
    outputs: Collected,
    window: Window,
    thresholds: Thresholds,
    notes: list[str],
    hold_out: Callable[[str], pd.DataFrame | None],
) -> list[Finding]:
    """Compare the predictions of the model with the most rows in the window with earlier ones of the same model.

    While it has no earlier ones, the reference is what it predicts for the hold-out. `hold_out` returns that for a
    training run, or None for the run of another model.
    """
    if MODEL not in outputs.rows:
        notes.append(f"No prediction drift: {OUTPUTS} has no rows with the column {MODEL!r} in the window.")
        return []
    model = str(outputs.rows[MODEL].value_counts().index[0])
    now = outputs.rows[outputs.rows[MODEL] == model]
    earlier = read(folder, OUTPUTS, window.before(thresholds.reference_hours)).rows
    known: pd.DataFrame | None = earlier[earlier[MODEL] == model] if MODEL in earlier else earlier
    if known is not None and len(known) < thresholds.minimum_rows:
        before = f"{model} made {len(known)} predictions before the window. A comparison needs "
        before += f"{thresholds.minimum_rows}."
        known = hold_out(str(now[baseline.RUN].iloc[0])) if baseline.RUN in now else None
        notes.append(
            f"The reference of the predictions is what the model predicts for the hold-out: {before}"
            if known is not None
            else f"No prediction drift: {before}"
        )
    if known is None:
        return []
    columns = [name for name in PREDICTIONS if name in known]
    return drift(PREDICTION_DRIFT, known[columns], now, thresholds.prediction_drift)


def sources(inputs: Collected, outputs: Collected) -> list[Source]:
    """Return the deployments that collected the rows, with the models whose predictions they collected."""
    models: dict[str, set[str]] = {}
    if MODEL in outputs.rows:
        for deployment, model in zip(outputs.origins["deployment"], outputs.rows[MODEL], strict=True):
            models.setdefault(deployment, set()).add(str(model))
    return [
        Source(
            str(deployment),
            sorted(models.get(str(deployment), ())),
            len(rows),
            stamp(rows["time"].min()),
            stamp(rows["time"].max()),
        )
        for deployment, rows in inputs.origins.groupby("deployment")
    ]


def tags(report: Report) -> dict[str, str]:
    """Return the tags of the run. Alerts and Event Grid subscriptions read `drift_detected`."""
    over = ", ".join(finding.name for finding in report.exceeded)
    return {
        "drift_detected": str(report.detected).lower(),
        "drift_exceeded": over if len(over) <= _TAG_CHARACTERS else over[:_TAG_CHARACTERS] + "…",
        "monitoring_status": report.status,
        "monitoring_window": f"{report.window['start']}/{report.window['end']}",
        "monitored_models": ", ".join(sorted({model for source in report.sources for model in source.models})),
    }


def publish(report: Report, run_id: str, folder: Path) -> None:
    """Write the report to a folder and to the run's artifacts, and tag the run.

    The pipeline's run gets the same tags and the metric drift.detected.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(report.json(), indent=2) + "\n", encoding="utf-8")
    (folder / "report.html").write_text(report.html(), encoding="utf-8")
    detected = {"drift.detected": float(report.detected), "drift.rows": float(report.rows)}
    mlflow.log_metrics({f"drift.{finding.name}": finding.value for finding in report.findings} | detected)
    shutil.copytree(folder, KEPT, dirs_exist_ok=True)
    mlflow.set_tags(tags(report))
    root = os.environ.get("AZUREML_ROOT_RUN_ID")
    if root is None or root == run_id:
        return
    client = MlflowClient()
    try:
        for tag, text in tags(report).items():
            client.set_tag(root, tag, text)
        for metric, value in detected.items():
            client.log_metric(root, metric, value)
    except MlflowException as error:
        log.warning("run %s of the pipeline has no tags of this step: %s", root, error)


def parse_arguments() -> argparse.Namespace:
    """Parse the command line in component.yml."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--collected", type=Path, required=True, help="container of the collected data")
    parser.add_argument("--folder", default=".", help="folder of the collections in it, such as flight-delay/blue")
    parser.add_argument("--reference", type=Path, required=True, help="folder with Parquet rows from prep")
    parser.add_argument(
        "--model", type=Path, help="MLflow model that serves, for the reference of its first predictions"
    )
    parser.add_argument("--window_hours", type=float, required=True, help="length of the window")
    parser.add_argument("--window_end", required=True, help="end of the window, or now")
    parser.add_argument("--report", type=Path, required=True, help="output folder for report.json and report.html")
    return parser.parse_args()


def main() -> None:
    """Run the step. Drift and too few rows are results: the exit code is 0, and the run has tags that say so."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stdout)
    arguments = parse_arguments()
    with mlflow.start_run() as run:
        try:
            thresholds = read_thresholds(Path(__file__).with_name("thresholds.yml"))
            folder = folder_of(arguments.collected, arguments.folder)
            window = window_of(arguments.window_end, arguments.window_hours, newest(folder, INPUTS))
            reference = read_reference(arguments.reference)
            report = compare(folder, reference, window, thresholds, arguments.model)
            publish(report, run.info.run_id, arguments.report)
        except (CollectedError, ThresholdError, MlflowException) as error:
            sys.exit(f"monitoring: {error}")
    log.info("drift_detected %s: %s %s", str(report.detected).lower(), report.status, report.reason)
    for note in report.notes:
        log.info("%s", note)


if __name__ == "__main__":
    main()
