"""Choose the forecast with the smallest error."""

import argparse
import json
import shutil
from pathlib import Path

import mlflow


def main() -> None:
    """Read the arguments, log the errors and write the report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--forecasts", type=Path, nargs="+", required=True)
    parser.add_argument("--report", type=Path, required=True)
    given = parser.parse_args()
    found = {}
    for folder in given.forecasts:
        metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
        found[metrics["method"]] = (metrics["mean_absolute_error"], folder)
    best = min(found, key=lambda method: found[method][0])
    errors = {method: error for method, (error, _) in found.items()}
    for method, error in errors.items():
        mlflow.log_metric(f"mean_absolute_error_{method}", error)
    given.report.mkdir(parents=True, exist_ok=True)
    report = {"best": best, "mean_absolute_error": errors}
    (given.report / "report.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    shutil.copyfile(found[best][1] / "forecast.csv", given.report / "forecast.csv")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
