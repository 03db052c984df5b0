"""The document of a preview: planned changes, and what other checks found about them.

`docs/preview.schema.json` is generated from this module.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from release import json_file
from release.cost.document import Cost
from release.errors import ReleaseError
from release.policy.findings import PolicyFinding

_STACK = re.compile(r"[A-Za-z0-9_.-]+")


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Files(_Document):
    """Files of an asset, relative to the project. If there are many, a folder (`src/`) stands for its files."""

    added: list[str] = Field(default_factory=list, description="Files that the deployed version does not have.")
    removed: list[str] = Field(default_factory=list, description="Files that only the deployed version has.")
    changed: list[str] = Field(default_factory=list, description="Files with different content.")


class Key(_Document):
    """A key with a different value."""

    key: str = Field(description="Key in the YAML, or property of the resource. Nested keys are joined by dots.")
    old: Any = Field(description="Value now: as deployed, or as a refresh found it in Azure. Null if not set.")
    new: Any = Field(description="Value after the update. Null if not set.")
    drifted: bool = Field(default=False, description="`old` is not the deployed value: someone changed it in Azure.")


class Override(_Document):
    """A value that the stack file sets in place of the asset file's."""

    key: str = Field(description="Key with the value, as in `Key`.")
    value: Any = Field(description="Value that the stack file sets.")
    set_by: str = Field(description="Configuration key of the stack file.")
    in_file: Any = Field(default=None, description="Value in the asset file. Null if the file has none.")


class Cause(_Document):
    """A reference to an asset that gets a new version, and so causes this change."""

    name: str = Field(description="`name` of the change that causes this one.")
    key: str = Field(description="Key with the reference, as in `Key`. For a schedule, the step of its pipeline.")
    pipeline: str | None = Field(
        default=None, description="File of the pipeline with the reference, if a schedule runs the pipeline."
    )


class PlannedChange(_Document):
    """A planned change of a resource."""

    operation: Literal["create", "update", "delete", "replace", "same"] = Field(
        description="Operation on the resource. `same` if it changed outside of Pulumi to what the program wants."
    )
    name: str = Field(description="Name of the resource in the program, such as `component-prep`.")
    kind: str = Field(description="Short type of the resource, such as `azureml:Component`.")
    old: str | None = Field(default=None, description="Deployed version. Null if it is new or has no version.")
    new: str | None = Field(default=None, description="Planned version. Null if it is deleted or has no version.")
    files: Files = Field(default_factory=Files, description="Files that differ.")
    keys: list[Key] = Field(default_factory=list, description="Keys that differ. The values of secrets are hidden.")
    overrides: list[Override] = Field(
        default_factory=list, description="Values from the stack file, of a new resource or among the keys that differ."
    )
    drifted: bool = Field(
        default=False,
        description="A refresh found a change or deletion outside of Pulumi. The update reverts it, unless the "
        "operation is `same`.",
    )
    because: list[Cause] = Field(default_factory=list, description="The changes that cause this one.")
    dependants: list[str] = Field(default_factory=list, description="`name` of each change that this one causes.")


class GateResult(_Document):
    """The decision of the gate about a model that the update would serve."""

    model: str = Field(description="Name and version of the model, such as `delays:3`.")
    deploy_flag: bool = Field(description="Whether the gate accepted the model.")
    reason: str = Field(description="Why it was accepted or refused.")
    metrics: dict[str, float] = Field(default_factory=dict, description="Metrics of the model, by name.")
    report: str | None = Field(default=None, description="Page of the job with the report. Null if it is not known.")


class QuotaNeed(_Document):
    """The vCPUs that the rollouts of an update need of one limit."""

    family: str = Field(description="Limit: a family of virtual machines, or all of them in the region.")
    location: str = Field(description="Azure region.")
    needed: int = Field(description="vCPUs that the update needs in addition, with Azure's reserve for upgrades.")
    free: int = Field(description="vCPUs that are left now.")


class Preview(_Document):
    """The output of `release preview --output json`."""

    preview_version: Literal[1] = Field(
        default=1, description="Version of this format. A breaking change increments it."
    )
    stack: str = Field(description="Name of the stack.")
    changes: list[PlannedChange] = Field(
        description="Planned changes, in the order of the update. Empty if there is nothing to do."
    )
    errors: list[str] = Field(
        default_factory=list,
        description="Why the preview failed, and so the update would. `changes` then has what was found before.",
    )
    warnings: list[str] = Field(
        default_factory=list,
        description="Warnings, such as the resources that the update would replace because names have changed.",
    )
    notes: list[str] = Field(
        default_factory=list,
        description="Remarks of the program, such as an asset that the stack leaves out or that waits for a model.",
    )
    gate: list[GateResult] | None = Field(
        default=None, description="Decisions about models that replace others. Null if they cannot be read."
    )
    quota: list[QuotaNeed] | None = Field(
        default=None, description="Quota that rollouts need. Null if Azure did not say what is left."
    )
    policy: list[PolicyFinding] | None = Field(
        default=None, description="Rules that the update breaks. Null if they were not checked."
    )
    cost: Cost | None = Field(default=None, description="Monthly cost. Null if it was not estimated.")


def collect(paths: Iterable[Path]) -> tuple[list[Preview], list[Path]]:
    """Read the previews of several stacks, and return the files of those that failed before they wrote anything.

    For a file that is missing or empty, the preview has the file's name as its stack, and an error.

    Raises:
        ReleaseError: A file is not a preview, or its name is not that of a stack.
    """
    previews, missing = [], []
    for path in paths:
        is_empty = path.is_file() and path.stat().st_size == 0
        if (path.exists() and not is_empty) or not _STACK.fullmatch(path.stem):
            previews.append(read(path))
            continue
        problem = "is empty" if is_empty else "does not exist"
        reason = f"The preview wrote no result: {path.name} {problem}. The log of the preview shows the reason."
        previews.append(Preview(stack=path.stem, changes=[], errors=[reason]))
        missing.append(path)
    return previews, missing


def read(path: Path) -> Preview:
    """Read the file that `release preview --output-file` wrote.

    Raises:
        ReleaseError: The file does not exist, is not a preview, or has a version that this release does not know.
    """
    fix = f"write it with `release preview -s STACK --output-file {path}`"
    document = json_file.read(path, fix)
    (known,) = get_args(Preview.model_fields["preview_version"].annotation)
    version = document.get("preview_version") if isinstance(document, dict) else None
    if version is None:
        raise ReleaseError(f"{path} is not a preview: it has no `preview_version`", fix=fix)
    if version != known:
        raise ReleaseError(
            f"{path} has preview_version {version}, and this release knows {known}",
            fix="use one version of this repository for the preview and for its readers",
        )
    try:
        return Preview.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ReleaseError(f"{path} is not a preview: {place}: {first['msg']}", fix=fix) from error
