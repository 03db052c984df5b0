"""Reads the results of the earlier steps, and converts them to the tags of a model version."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

RECORDED = ("data", "data_sha256", "holdout_start", "training_run_id", "training_code_sha256")
"""Metadata that `train` writes to the model. Every registered version must have it."""

DECISION_VERSION = 1
"""Version of decision.json that this component reads."""


class RegistrationError(Exception):
    """The model or the decision cannot be used. The message names the input and the reason."""


def read_decision(folder: Path) -> dict[str, Any]:
    """Return the decision of `gate`.

    Raises:
        RegistrationError: The file is missing or malformed, or has another version.
    """
    try:
        decision = json.loads((folder / "decision.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = f"decision: {error}"
        raise RegistrationError(message) from error
    found = decision.get("decision_version") if isinstance(decision, dict) else None
    if found != DECISION_VERSION:
        message = f"decision: decision.json has decision_version {found}; this component reads {DECISION_VERSION}"
        raise RegistrationError(message)
    flag = decision.get("deploy_flag")
    if flag not in (0, 1) or isinstance(flag, bool):
        message = f"decision: deploy_flag must be 0 or 1, not {flag!r}"
        raise RegistrationError(message)
    return dict(decision)


def read_origin(model: Path) -> dict[str, str]:
    """Return the RECORDED entries of the MLflow model's metadata.

    Raises:
        RegistrationError: The folder has no MLmodel file, or an entry is missing.
    """
    try:
        description = yaml.safe_load((model / "MLmodel").read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        message = f"model: {error}"
        raise RegistrationError(message) from error
    metadata = (description or {}).get("metadata") or {}
    missing = [name for name in RECORDED if not metadata.get(name)]
    if missing:
        message = f"model: the metadata in MLmodel lacks {', '.join(missing)}; use a model from the train component"
        raise RegistrationError(message)
    return {name: str(metadata[name]) for name in RECORDED}


def version_tags(
    origin: Mapping[str, str], decision: Mapping[str, Any], git_sha: str, environ: Mapping[str, str]
) -> dict[str, str]:
    """Return tags for the data, code, jobs and scores of a model version. MLflow requires text as values.

    Args:
        origin: Result of read_origin.
        decision: Result of read_decision. Each metric becomes a tag.
        git_sha: Commit that the pipeline was submitted from, or `unknown`.
        environ: Environment variables of the job. Azure ML sets AZUREML_ROOT_RUN_ID to the pipeline job's name.
    """
    tags = dict(origin)
    tags.update({name: f"{value:.6g}" for name, value in decision["metrics"].items() if value is not None})
    tags["gate"] = decision["reason"]
    tags["git_sha"] = git_sha
    if root := environ.get("AZUREML_ROOT_RUN_ID"):
        tags["pipeline_job"] = root
    return tags
