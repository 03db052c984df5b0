"""The metadata of a release: the contract between `release publish` and `release deploy`.

`docs/release-metadata.schema.json` is generated from this module.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError

from infra.outputs import ModelOutput
from release import json_file
from release.errors import ReleaseError
from release.gate.decision import Decision

METADATA_VERSION = 1
# Tags of a published model in the registry: the job that trained it, and the SHA-256 of the gate's decision about it.
JOB_TAG, GATE_TAG = "published_from_job", "published_gate_sha256"


class SharedAsset(BaseModel):
    """A version in the registry."""

    name: str = Field(description="Name of the asset.")
    version: str = Field(description="Version, the same as in the workspace.")
    id: str = Field(description="Reference, for jobs and deployments of any workspace.")


class ReleasedModel(SharedAsset):
    """The model version in the registry."""

    registry: str = Field(description="Name of the registry.")
    sha256: str = Field(description="Hash of the model's files. `release deploy` compares it with those it finds.")

    @property
    def reference(self) -> ModelOutput:
        """The version as configuration."""
        return ModelOutput(name=self.name, version=self.version, registry=self.registry)


class TrainingJob(BaseModel):
    """The job that trained the model."""

    name: str = Field(description="Name of the job, for `az ml job show --name`.")
    workspace_id: str = Field(description="ARM resource id of the workspace that ran it.")
    studio_url: str | None = Field(default=None, description="Page of the job in the studio.")
    inputs: dict[str, str] = Field(description="Data inputs of the job, with their versions.")
    data: str | None = Field(default=None, description="Data that the training step names.")
    data_sha256: str | None = Field(default=None, description="Hash of that data.")
    code_sha256: str | None = Field(default=None, description="Hash of the training code.")


class ReleasedDeployment(BaseModel):
    """The deployment of an endpoint, without its model."""

    endpoint: str = Field(description="Name of the endpoint in the YAML.")
    version: str = Field(description="Hash of the deployment's content.")
    settings: dict[str, Any] = Field(
        description="The deployment as `az ml online-deployment create --file` takes it, with the values of the stack "
        "that trained the model. Paths are relative to the project at `commit`."
    )


class Release(BaseModel):
    """A released model: what it is, where it comes from, and how it is deployed."""

    metadata_version: Literal[1] = Field(
        default=1, description="Version of this format. A breaking change increments it."
    )
    created: datetime = Field(description="When it was published.")
    stack: str = Field(description="Stack that trained the model.")
    commit: str = Field(description="Commit that the model was trained from, or `unknown`.")
    author: str | None = Field(default=None, description="Author of that commit.")
    published_by: str = Field(description="Who published it: a user of the CI host, or of the machine.")
    model: ReleasedModel
    components: list[SharedAsset] = Field(description="Components of the training job's steps.")
    environments: list[SharedAsset] = Field(description="Environments of the components and of the deployments.")
    training: TrainingJob
    gate: Decision = Field(description="Decision of the gate: docs/gate-decision.schema.json.")
    deployments: list[ReleasedDeployment] = Field(description="Deployments that serve the model.")

    @property
    def evidence(self) -> dict[str, str]:
        """The tags by which the registry confirms that this job trained the model and that this is its decision."""
        decision = json.dumps(self.gate.model_dump(mode="json"), sort_keys=True)
        return {JOB_TAG: self.training.name, GATE_TAG: hashlib.sha256(decision.encode()).hexdigest()}

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a release's metadata.

        Raises:
            ReleaseError: The file does not exist, is not such metadata, or has an unknown version.
        """
        fix = "use the file that `release publish --output-file` wrote"
        content = json_file.read(path, fix)
        version = content.get("metadata_version") if isinstance(content, dict) else None
        if version is None:
            raise ReleaseError(f"{path} has no metadata_version, so it is not a release's metadata", fix=fix)
        if version != METADATA_VERSION:
            raise ReleaseError(
                f"{path} has metadata_version {version}, and this release reads version {METADATA_VERSION}",
                fix="use the `release` of the commit that published it, or publish it again with this one",
            )
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
            raise ReleaseError(f"{path} is not valid: {wrong}", fix=fix) from error

    def write(self, path: Path) -> None:
        """Write it to a file."""
        json_file.write(path, self.model_dump_json(indent=2))
