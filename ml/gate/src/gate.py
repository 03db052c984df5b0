"""Step `gate`: checks the rules in gate.yml on an evaluation, and writes the decision and its report."""

import argparse
import json
import logging
import math
import shutil
import sys
from pathlib import Path

import mlflow
from decision import decide
from figures import Version
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from predictions import PredictionsError, read_predictions
from report import write_report
from rules import RulesError, read_rules

log = logging.getLogger("gate")

KEPT = Path("outputs")
"""Azure ML uploads this folder of a job to its artifacts. An upload by MLflow's client may give up early."""
MAX_VERSIONS = 20
"""The report shows the latest versions, up to this number."""


def history(client: MlflowClient, name: str) -> list[Version]:
    """Return the latest versions of a model, oldest first, with the metrics in their tags."""
    try:
        versions = client.search_model_versions(f"name='{name}'")
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return []
        raise
    ordered = sorted(versions, key=lambda version: int(version.creation_timestamp or 0))
    return [Version(str(each.version), _numbers(each.tags or {})) for each in ordered[-MAX_VERSIONS:]]


def _numbers(tags: dict[str, str]) -> dict[str, float]:
    found = {}
    for name, text in tags.items():
        try:
            value = float(text)
        except ValueError:
            continue
        if math.isfinite(value):
            found[name] = value
    return found


def parse_arguments() -> argparse.Namespace:
    """Parse the command line in component.yml."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--predictions", type=Path, required=True, help="folder from an evaluate step")
    parser.add_argument("--rules", type=Path, required=True, help="the file gate.yml")
    parser.add_argument("--overrides", required=True, help="METRIC.KEY=VALUE, separated by commas, or none")
    parser.add_argument("--model_name", required=True, help="name of the registered model")
    parser.add_argument("--decision", type=Path, required=True, help="output folder for decision.json and the report")
    return parser.parse_args()


def main() -> None:
    """Run the step. A refused model is not an error: the exit code is 0, and decision.json has the reason."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stdout)
    arguments = parse_arguments()
    with mlflow.start_run():
        try:
            rules = read_rules(arguments.rules, arguments.overrides)
            predictions = read_predictions(arguments.predictions)
            client = MlflowClient()
            logged = client.get_run(predictions.run_id).data.metrics
            versions = history(client, arguments.model_name)
        except (RulesError, PredictionsError, MlflowException) as error:
            sys.exit(f"gate: {error}")
        decision = decide(rules, logged, predictions, arguments.model_name)
        arguments.decision.mkdir(parents=True, exist_ok=True)
        text = json.dumps(decision, indent=2, allow_nan=False) + "\n"
        (arguments.decision / "decision.json").write_text(text, encoding="utf-8")
        write_report(arguments.decision, decision, predictions, versions)
        mlflow.log_params({"model_name": arguments.model_name, "overrides": arguments.overrides})
        refused = sum(not check["passed"] for check in decision["checks"])
        mlflow.log_metrics({"deploy_flag": decision["deploy_flag"], "refused_checks": refused})
        shutil.copytree(arguments.decision, KEPT / "gate", dirs_exist_ok=True)
    log.info("deploy_flag %d: %s", decision["deploy_flag"], decision["reason"])


if __name__ == "__main__":
    main()
