"""The decision that the gate component writes to `decision.json`.

`docs/gate-decision.schema.json` is generated from this module.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pulumi_azureml.operations import job_output
from release.errors import ReleaseError

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

DECISION_VERSION = 1
OUTPUT = "decision"
DECISION = f"{OUTPUT}/decision.json"
"""Output of the pipeline, and the file in it."""


class _DecisionPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CheckedRule(_DecisionPart):
    """One rule, checked on the whole hold-out or on a slice."""

    metric: str = Field(description="Name of the metric.")
    slice: str | None = Field(description="Slice, such as `carrier=UA`. Null for the whole hold-out.")
    direction: Literal["higher", "lower"] = Field(description="Whether a higher or a lower value is better.")
    value: float | None = Field(description="Value of the new model. Null if it is missing or not a number.")
    threshold: float | None = Field(description="Minimum or maximum. Null if the rule has none.")
    champion: float | None = Field(description="Value of the registered model on the same rows. Null without a value.")
    margin: float | None = Field(description="Required improvement over the registered model. Null if there is none.")
    passed: bool = Field(description="Whether the check holds.")
    why: str = Field(description="What was found, as text.")
    rows: int = Field(description="Number of rows of the hold-out or the slice.")


class Champion(_DecisionPart):
    """The registered model that the new one was compared with."""

    version: str = Field(description="Registered version.")
    problem: str = Field(description="Why it could not be scored on the hold-out. Empty if it was.")
    metrics: dict[str, float | None] = Field(description="Its metrics on the same hold-out, by name.")


class Slice(_DecisionPart):
    """A part of the hold-out: the rows with one value of a column."""

    slice: str = Field(description="Name of the slice, such as `carrier=UA`.")
    rows: int = Field(description="Number of its rows.")
    metrics: dict[str, float | None] = Field(description="Checked metrics of the new model, by name.")
    champion_metrics: dict[str, float | None] = Field(description="The same metrics of the registered model.")


class Decision(_DecisionPart):
    """The decision of the gate."""

    decision_version: Literal[1] = Field(description="Version of this contract. The release refuses other versions.")
    deploy_flag: Literal[0, 1] = Field(description="1 if the model was accepted, 0 if it was refused.")
    reason: str = Field(description="Why it was accepted or refused, as text.")
    model: str = Field(description="Name of the registered model.")
    metrics: dict[str, float | None] = Field(
        description="Metrics of the hold-out that the evaluation run logged to MLflow, by name. Null for NaN."
    )
    checks: list[CheckedRule] = Field(description="Every rule on the whole hold-out and on its slices.")
    champion: Champion | None = Field(description="The registered model. Null if there was none.")
    slices: list[Slice] = Field(description="Every slice that was checked.")
    report: str = Field(description="File of the report, beside this file.")

    @property
    def accepted(self) -> bool:
        """Whether the gate accepted the model."""
        return self.deploy_flag == 1


def parse(raw: Mapping[str, Any], job: str) -> Decision:
    """Return a decision.

    Raises:
        ReleaseError: It has another version or form.
    """
    version = raw.get("decision_version")
    if version != DECISION_VERSION:
        raise ReleaseError(
            f"job {job}: {DECISION} has decision_version {version!r}, and this release reads {DECISION_VERSION}",
            fix="use the gate component and the release of the same commit",
        )
    try:
        return Decision.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ReleaseError(
            f"job {job}: {DECISION} is not valid: {where}: {first['msg']}",
            fix="write it as docs/gate-decision.schema.json describes",
        ) from error


def read_decision(ml: MLClient, job: str) -> Decision:
    """Return the decision of a job that completed.

    Raises:
        ReleaseError: The job has no decision, or one of another version or form.
    """
    try:
        raw = job_output(ml, job, DECISION)
    except ValueError as error:
        raise ReleaseError(f"{DECISION} of job {job} is not valid JSON: {error}") from error
    if raw is None:
        raise ReleaseError(
            f"job {job} completed without {DECISION}",
            fix=f"add the output `{OUTPUT}` of the gate to the pipeline, as in pipelines/training.yml",
        )
    return parse(raw, job)


def download(ml: MLClient, job: str, folder: Path) -> list[Path]:
    """Copy the decision, the report and its figures of a job to a folder. Return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        ml.jobs.download(name=job, output_name=OUTPUT, download_path=temporary)
        found = sorted(path for path in Path(temporary).rglob("*") if path.is_file())
        # Not a rename: the temporary folder is often on another file system.
        return [Path(shutil.move(path, folder / path.name)) for path in found]
