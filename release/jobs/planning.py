"""Jobs of the project's pipelines and components, planned with the asset versions that the stack deployed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra import NAMESPACE, gates
from infra.outputs import StackOutputs, versions
from pulumi_azureml import (
    Asset,
    Catalogue,
    CatalogueErrors,
    CatalogueSettings,
    ConfigKeys,
    Folders,
    ModelChoice,
    load_catalogue,
)
from pulumi_azureml.operations import GitError, git_commit, submit_pipeline
from pulumi_azureml.planning import DATA, place, typed
from release.errors import ReleaseError
from release.jobs.inputs import local_data
from release.project import program_folder

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

COMMIT = "git_sha"
CONTENT = "content_sha256"
"""Tag of a job: its `JobPlan.fingerprint`."""
_LITERALS = ("boolean", "integer", "number", "string")
# Stands in for a local path while the job is planned, because planning accepts only paths in the project.
_LOCAL = "azureml://datastores/workspaceblobstore/paths/local"


@dataclass(frozen=True)
class JobPlan:
    """A pipeline job that is ready to be submitted.

    Attributes:
        name: Name of its pipeline or component.
        kind: `pipeline` or `component`.
        asset: The planned job.
        data: Files and folders of this machine, by the inputs that take them.
    """

    name: str
    kind: str
    asset: Asset
    data: Mapping[str, Path] = field(default_factory=dict)

    @property
    def outputs(self) -> frozenset[str]:
        """The names of the job's outputs."""
        return frozenset(self.asset.definition.get("outputs") or {})

    @property
    def fingerprint(self) -> str | None:
        """A hash of what the job runs and with what, without the commit.

        None if it uses what has no version: files of this machine, or the latest version of a foreign asset.
        """
        described = {key: value for key, value in self.asset.definition.items() if key not in self.asset.metadata}
        inputs = {key: value for key, value in (described.get("inputs") or {}).items() if key != COMMIT}
        text = json.dumps({**described, "inputs": inputs}, sort_keys=True, default=str)
        if self.data or "/labels/" in text or "@latest" in text:
            return None
        return hashlib.sha256(text.encode()).hexdigest()

    def submit(self, ml: MLClient, *, force_rerun: bool = False) -> Any:
        """Submit the job and return it. Its tag `pipeline` or `component` has the name.

        Args:
            ml: The workspace's client.
            force_rerun: Run every step, whatever the pipeline's settings are.
        """
        definition = self.asset.definition
        keys = {"settings": {**(definition.get("settings") or {}), "force_rerun": True}} if force_rerun else {}
        tags = {**(definition.get("tags") or {}), self.kind: self.name}
        if self.fingerprint is not None:
            tags[CONTENT] = self.fingerprint
        return submit_pipeline(ml, self.asset, program_folder(), data=self.data, tags=tags, **keys)


def plan_pipeline(outputs: StackOutputs, name: str, texts: Mapping[str, str]) -> JobPlan:
    """Plan a job of a pipeline, with some of its inputs as text. The input `git_sha` gets the tree's commit.

    Raises:
        ReleaseError: The asset files have problems or differ from the deployed versions, there is no such pipeline, or
            an input is wrong.
    """
    pipeline = find_pipeline(load(outputs), name)
    declared = pipeline.definition.get("inputs") or {}
    data = {key: value for key, value in declared.items() if place(key, value)[-1] == "path"}
    local = local_data(texts, data)
    given = {key: text for key, text in texts.items() if key not in local}
    if COMMIT in declared and COMMIT not in given:
        given[COMMIT] = _commit()
    catalogue = load(outputs, inputs={name: given})
    planned = catalogue["pipeline_job", name]
    if wrong := list(gates.override_problems(program_folder(), catalogue, planned.definition)):
        raise ReleaseError(f"pipeline '{name}': " + "\n".join(wrong))
    return JobPlan(name, "pipeline", planned, local)


def plan_component(outputs: StackOutputs, name: str, texts: Mapping[str, str], compute: str | None) -> JobPlan:
    """Plan a job that runs one component: a pipeline with one step.

    Args:
        outputs: Outputs of the stack.
        name: Name of the component.
        texts: Values of its inputs, as text.
        compute: Name of the cluster. None takes the only one of the stack.

    Raises:
        ReleaseError: As `plan_pipeline`, or there are several clusters and none is named.
    """
    components = {asset.name: asset for asset in load(outputs).of("component")}
    if name not in components:
        raise ReleaseError(f"the project has no component '{name}'; components: {_listing(components)}")
    definition = components[name].definition
    declared = definition.get("inputs") or {}
    local = local_data(texts, {key: port for key, port in declared.items() if port.get("type") not in _LITERALS})
    step = re.sub(r"\W", "_", name)
    pipeline = {
        "type": "pipeline",
        "display_name": name,
        "experiment_name": name,
        "settings": {"default_compute": f"azureml:{_compute(outputs, compute)}"},
        "inputs": {key: _value(key, text, declared, local, name) for key, text in texts.items()},
        "outputs": {key: {"type": port["type"]} for key, port in (definition.get("outputs") or {}).items()},
        "jobs": {
            step: {
                "type": definition.get("type", "command"),
                "component": f"azureml:{name}",
                "inputs": {key: f"${{{{parent.inputs.{key}}}}}" for key in texts},
                "outputs": {key: f"${{{{parent.outputs.{key}}}}}" for key in definition.get("outputs") or {}},
            }
        },
    }
    title = f"run-component-{name}"
    planned = load(outputs, also={title: ("pipeline_job", pipeline)})["pipeline_job", title]
    return JobPlan(name, "component", planned, local)


def load(
    outputs: StackOutputs,
    inputs: Mapping[str, Mapping[str, str]] | None = None,
    also: Mapping[str, tuple[str, dict[str, Any]]] | None = None,
) -> Catalogue:
    """Return the project's assets, with the versions that the stack deployed.

    Args:
        outputs: Outputs of the stack.
        inputs: Text for the inputs of pipelines, by pipeline.
        also: Jobs that no file defines, as `load_catalogue` takes them.

    Raises:
        ReleaseError: The asset files have problems or differ from the deployed versions.
    """
    settings = CatalogueSettings(
        computes=frozenset(outputs.compute),
        build_images=outputs.environment_image is not None,
        login_server=outputs.login_server,
        registry=outputs.registry,
        folders=Folders(files=tuple(outputs.files)),
        config_keys=ConfigKeys(overrides=f"{NAMESPACE}:overrides"),
        models={
            endpoint: ModelChoice(each.name, each.version, each.registry) for endpoint, each in outputs.models.items()
        },
        overrides=outputs.overrides,
        inputs=inputs or {},
    )
    try:
        catalogue = load_catalogue(program_folder(), settings, also)
    except CatalogueErrors as error:
        raise ReleaseError(str(error)) from error
    changed = [
        f"{kind} {name} (deployed: {outputs.assets.get(kind, {}).get(name, 'none')}, files: {version})"
        for kind, assets in versions(catalogue).items()
        for name, version in assets.items()
        if outputs.assets.get(kind, {}).get(name) != version
    ]
    if changed:
        raise ReleaseError(
            f"the asset files differ from the deployed versions: {', '.join(changed)}", fix="pulumi up, or release up"
        )
    return catalogue


def find_pipeline(catalogue: Catalogue, name: str) -> Asset:
    """Return a pipeline.

    Raises:
        ReleaseError: There is no such pipeline.
    """
    found = {asset.name: asset for asset in catalogue.of("pipeline_job")}
    if name not in found:
        raise ReleaseError(f"pipelines/{name}.yml does not exist; pipelines: {_listing(found)}")
    return found[name]


def _value(name: str, text: str, declared: Mapping[str, Any], local: Mapping[str, Path], component: str) -> Any:
    """Return the value of a component's input in the pipeline that runs it."""
    if name not in declared:
        raise ReleaseError(f"component '{component}' has no input '{name}'; inputs: {_listing(declared)}")
    type_ = str(declared[name].get("type"))
    try:
        value = typed(type_ if type_ in _LITERALS else DATA, text)
    except ValueError as error:
        raise ReleaseError(f"--input {name}: input '{name}' of component '{component}' {error}") from error
    return value if type_ in _LITERALS else {"type": type_, "path": _LOCAL if name in local else value}


def _compute(outputs: StackOutputs, wanted: str | None) -> str:
    if wanted is not None:
        return wanted.removeprefix("azureml:")
    if len(outputs.compute) != 1:
        clusters = ", ".join(outputs.compute) or "none"
        raise ReleaseError(f"the stack has these clusters: {clusters}", fix="name one: --compute NAME")
    return outputs.compute[0]


def _commit() -> str:
    try:
        return git_commit(program_folder())
    except GitError as error:
        raise ReleaseError(str(error), fix=f"{error.fix}, or use --input {COMMIT}=COMMIT") from error


def _listing(names: Mapping[str, Any]) -> str:
    return ", ".join(sorted(names)) or "none"
