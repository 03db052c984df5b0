"""Shares a trained model with the registry, with its components and environments, and describes the release."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from infra.outputs import StackOutputs
from pulumi_azureml import Catalogue
from pulumi_azureml.operations import EndedJob, sign_in_again
from release.actor import actor, author
from release.assets.sharing import CONTENT_TAG, RegistrySharing, SharedVersion
from release.endpoints import copied
from release.errors import ReleaseError
from release.jobs.planning import load
from release.project import program_folder
from release.publishing.metadata import (
    Release,
    ReleasedDeployment,
    ReleasedModel,
    SharedAsset,
    TrainingJob,
)
from release.training.outcome import gated
from release.workspace import client, registry_client

# Seconds before each further attempt to share. Azure refuses concurrent writes of an environment, and a registry that
# was just created may not answer yet.
_WAITS = (2.0, 10.0, 30.0)
_UNAUTHORIZED = 401
# Unauthorized, timeout, conflict, and too many requests.
_PASSING = frozenset({_UNAUTHORIZED, 408, 409, 429})
_T = TypeVar("_T")
_DEPLOYMENTS = ("online_deployment", "batch_deployment")


@dataclass
class Publisher:
    """Publishes from one stack to its registry.

    Attributes:
        stack: Name of the stack.
        outputs: Its outputs.
        registry: Name of the registry.
        say: Takes each line of progress.
        sleep: Waits the given seconds.
    """

    stack: str
    outputs: StackOutputs
    registry: str
    say: Callable[[str], None]
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        """Sign in to the workspace and the registry."""
        self._sign_in()

    def _sign_in(self) -> None:
        self.ml = client(self.outputs)
        self.sharing = RegistrySharing(
            self.ml, registry_client(self.registry), self.registry, self.outputs.workspace_id, self.say
        )

    def publish(self, job: str | None) -> Release:
        """Share the model of a training job (None: of the latest one that the gate accepted). You can repeat this.

        Raises:
            ReleaseError: The job did not complete, its gate refused the model, or the registry does not take a version.
        """
        catalogue = load(self.outputs)
        name = job or self._latest_job()
        entity = self._completed(name)
        training = gated(self.ml, "", entity, EndedJob("Completed", ()))
        gate = training.decision
        if gate is None or training.model is None or training.version is None or not gate.accepted:
            raise ReleaseError(
                f"the gate refused the model of job {name}: {training.reason}. Nothing was published",
                fix="publish a job that the gate accepted, with --job JOB",
            )
        model, version = training.model, training.version
        deployments = [
            each
            for kind in _DEPLOYMENTS
            for each in catalogue.of(kind)
            if each.serves in (model, "*") and not copied(self.outputs, each.name.partition("/")[0])
        ]
        components = [self._share("component", *each) for each in _components(entity)]
        environments = [self._share("environment", *each) for each in self._environments(catalogue)]
        shared = self._share("model", model, version)
        copy = self.sharing.registry.models.get(model, version)
        tags = {**(self.ml.models.get(model, version).tags or {})}
        commit = tags.get("git_sha", "unknown")
        release = Release(
            created=datetime.now(UTC).replace(microsecond=0),
            stack=self.stack,
            commit=commit,
            author=author(program_folder(), commit),
            published_by=actor(),
            model=ReleasedModel(
                name=model,
                version=version,
                id=shared.id,
                registry=self.registry,
                sha256=(copy.tags or {})[CONTENT_TAG],
            ),
            components=[_asset(each) for each in components],
            environments=[_asset(each) for each in environments],
            training=TrainingJob(
                name=name,
                workspace_id=self.outputs.workspace_id,
                studio_url=entity.studio_url,
                inputs=_data(entity),
                data=tags.get("data"),
                data_sha256=tags.get("data_sha256"),
                code_sha256=tags.get("training_code_sha256"),
            ),
            gate=gate,
            deployments=[_deployment(each, environments) for each in deployments],
        )
        # A release's metadata can be changed on its way to `release deploy`. The registry confirms the decision.
        self._persistently(lambda: self.sharing.describe("model", model, version, release.evidence))
        return release

    def _latest_job(self) -> str:
        """Return the job of the latest version of the model that the stack's endpoints serve."""
        from azure.ai.ml.exceptions import ValidationException
        from azure.core.exceptions import ResourceNotFoundError

        serves = {each.serves for each in self.outputs.endpoints.values() if each.serves}
        if len(serves) != 1 or "*" in serves:
            raise ReleaseError(
                f"the endpoints of stack '{self.stack}' serve {', '.join(sorted(serves)) or 'no model'}",
                fix="name the training job whose model you publish, with --job JOB",
            )
        (model,) = serves
        try:
            latest = self.ml.models.get(model, label="latest")
        except (ResourceNotFoundError, ValidationException) as error:  # the latter if all versions are archived
            raise ReleaseError(
                f"the workspace of stack '{self.stack}' has no model '{model}'",
                fix=f"release train --stack {self.stack}",
            ) from error
        job = (latest.tags or {}).get("pipeline_job")
        if job is None:
            raise ReleaseError(
                f"model {model} version {latest.version} has no tag pipeline_job, so its training job is unknown",
                fix="name the training job whose model you publish, with --job JOB",
            )
        return str(job)

    def _completed(self, name: str) -> Any:
        from azure.core.exceptions import ResourceNotFoundError

        try:
            job = self.ml.jobs.get(name)
        except ResourceNotFoundError as error:
            raise ReleaseError(
                f"the workspace of stack '{self.stack}' has no job '{name}'",
                fix="use a name that `az ml job list` prints",
            ) from error
        status = str(getattr(job.status, "value", job.status))
        if status != "Completed":
            raise ReleaseError(
                f"job {name} has status {status}, and only a completed training can be published",
                fix="wait until it has completed, or publish another job with --job JOB",
            )
        return job

    def _environments(self, catalogue: Catalogue) -> Iterator[tuple[str, str]]:
        """Yield the deployed environments of the workspace. Those under ml/shared/ are in the registry already."""
        for each in catalogue.of("environment"):
            if each.registry is None:
                yield each.name, each.version

    def _share(self, kind: str, name: str, version: str) -> SharedVersion:
        """Share one version."""
        return self._persistently(lambda: self.sharing.share(kind, name, version))

    def _persistently(self, attempt: Callable[[], _T]) -> _T:
        """Try again after an error that may pass: a later attempt continues what is there."""
        for seconds in _WAITS:
            try:
                return attempt()
            except ReleaseError as error:
                if not _passes(error):
                    raise
                self.say(f"{error.message.splitlines()[0]}; trying again in {seconds:.0f} s")
                self.sleep(seconds)
                if _status(error) == _UNAUTHORIZED:
                    sign_in_again()
                    self._sign_in()
        return attempt()


def _passes(error: ReleaseError) -> bool:
    """Whether an error may pass: no answer, a rejected token, a conflict, throttling, or a fault of the service."""
    from azure.core.exceptions import ServiceRequestError, ServiceResponseError

    status = _status(error)
    return isinstance(error.__cause__, ServiceRequestError | ServiceResponseError) or (
        status is not None and (status in _PASSING or status >= 500)
    )


def _status(error: ReleaseError) -> int | None:
    from azure.core.exceptions import HttpResponseError

    return error.__cause__.status_code if isinstance(error.__cause__, HttpResponseError) else None


def _components(job: Any) -> Iterator[tuple[str, str]]:
    """Yield the name and version of each step's component."""
    for step in job.jobs.values():
        name, _, version = str(getattr(step.component, "id", step.component)).removeprefix("azureml:").rpartition(":")
        if name:
            yield name, version


def _data(job: Any) -> dict[str, str]:
    """Return the data inputs of a job, with their versions."""
    inputs = job._to_dict().get("inputs") or {}
    return {name: str(each["path"]) for name, each in inputs.items() if isinstance(each, dict) and each.get("path")}


def _asset(shared: SharedVersion) -> SharedAsset:
    return SharedAsset(name=shared.name, version=shared.version, id=shared.id)


def _deployment(asset: Any, environments: list[SharedVersion]) -> ReleasedDeployment:
    """Describe a deployment, with the environment in the registry."""
    references = {f"azureml:{each.name}:{each.version}": each.id for each in environments}
    settings = {key: value for key, value in asset.definition.items() if key != "model"}
    settings |= asset.metadata
    if settings.get("environment") in references:
        settings["environment"] = references[settings["environment"]]
    return ReleasedDeployment(endpoint=asset.name.partition("/")[0], version=asset.version, settings=settings)
