"""Step `register`: registers the model with its lineage if it passed the gate."""

import argparse
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import mlflow
from lineage import RegistrationError, read_decision, read_origin, version_tags
from mlflow.exceptions import MlflowException

log = logging.getLogger("register")

SECONDS_TO_READY = 120


def register(model: Path, name: str, decision: dict[str, Any], git_sha: str) -> dict[str, Any]:
    """Register the model among the artifacts of the training run, so that the version refers to the run.

    Returns:
        The content of registration.json.

    Raises:
        RegistrationError: The model's metadata has no training run.
        MlflowException: The registry returns an error.
    """
    origin = read_origin(model)
    tags = version_tags(origin, decision, git_sha, os.environ)
    version = mlflow.register_model(
        f"runs:/{origin['training_run_id']}/outputs/model", name, await_registration_for=SECONDS_TO_READY, tags=tags
    )
    return {
        "registered": True,
        "name": name,
        "version": str(version.version),
        "reason": decision["reason"],
        "metrics": decision["metrics"],
        "tags": tags,
    }


def parse_arguments() -> argparse.Namespace:
    """Parse the command line in component.yml."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="MLflow model folder from train")
    parser.add_argument("--decision", type=Path, required=True, help="folder with decision.json")
    parser.add_argument("--model_name", required=True, help="name of the registered model")
    parser.add_argument("--git_sha", required=True, help="commit that the pipeline was submitted from, or unknown")
    parser.add_argument("--registration", type=Path, required=True, help="output folder for registration.json")
    return parser.parse_args()


def main() -> None:
    """Run the step. A refused model is not an error: the exit code is 0, and registration.json has the reason."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stdout)
    arguments = parse_arguments()
    with mlflow.start_run():
        try:
            decision = read_decision(arguments.decision)
            if decision["deploy_flag"]:
                outcome = register(arguments.model, arguments.model_name, decision, arguments.git_sha)
                log.info("registered %s version %s: %s", outcome["name"], outcome["version"], outcome["reason"])
                mlflow.set_tags({"registered_model": outcome["name"], "registered_version": outcome["version"]})
            else:
                outcome = {"registered": False, "name": arguments.model_name, "reason": decision["reason"]}
                log.info("nothing registered: %s", outcome["reason"])
        except (RegistrationError, MlflowException) as error:
            sys.exit(f"register: {error}")
        mlflow.log_metric("registered", int(outcome["registered"]))
        arguments.registration.mkdir(parents=True, exist_ok=True)
        text = json.dumps(outcome, indent=2) + "\n"
        (arguments.registration / "registration.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
