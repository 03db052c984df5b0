"""Reads what the earlier steps decided and recorded, and turns it into the tags of a model version."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

RECORDED = ("data", "data_sha256", "holdout_start", "training_run_id", "training_code_sha256")
"""What `train` wrote into the model and every version must carry."""


class RegistrationError(Exception):
    """The model or the decision cannot be used; the message names the file."""


def read_decision(folder: Path) -> dict[str, Any]:
    """The report of `evaluate`, checked against its deploy_flag.

    Raises:
        RegistrationError: a file is missing or malformed, or the two contradict each other.
    """
    try:
        flag = (folder / "deploy_flag").read_text(encoding="utf-8").strip()
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = f"decision: {error}"
        raise RegistrationError(message) from error
    if flag not in ("0", "1"):
        message = f"decision: deploy_flag must be 0 or 1, not {flag[:20]!r}"
        raise RegistrationError(message)
    if not isinstance(report, dict) or str(report.get("deploy_flag")) != flag:
        message = f"decision: deploy_flag is {flag}, but report.json does not say the same"
        raise RegistrationError(message)
    return report


def read_origin(model: Path) -> dict[str, str]:
    """What the MLflow model says it was made of: the RECORDED entries of its metadata.

    Raises:
        RegistrationError: the folder has no MLmodel, or an entry is missing.
    """
    try:
        description = yaml.safe_load((model / "MLmodel").read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        message = f"model: {error}"
        raise RegistrationError(message) from error
    metadata = (description or {}).get("metadata") or {}
    missing = [name for name in RECORDED if not metadata.get(name)]
    if missing:
        message = f"model: the metadata in MLmodel lacks {', '.join(missing)}; was it written by the train component?"
        raise RegistrationError(message)
    return {name: str(metadata[name]) for name in RECORDED}


def version_tags(
    origin: Mapping[str, str], report: Mapping[str, Any], git_sha: str, environ: Mapping[str, str]
) -> dict[str, str]:
    """Tags that lead from a model version back to its data, code, jobs and scores. Values are text, as MLflow wants.

    Args:
        origin: from read_origin.
        report: from read_decision; its metrics become one tag each.
        git_sha: commit the pipeline was submitted from, or `unknown`.
        environ: the job's environment; Azure ML names the pipeline job in AZUREML_ROOT_RUN_ID.
    """
    tags = dict(origin)
    tags.update({name: f"{value:.6g}" for name, value in report["metrics"].items()})
    tags["gate"] = report["reason"]
    tags["git_sha"] = git_sha
    if root := environ.get("AZUREML_ROOT_RUN_ID"):
        tags["pipeline_job"] = root
    return tags
