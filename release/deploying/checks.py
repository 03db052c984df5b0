"""What has to be true before a release is deployed. Nothing is changed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from infra.outputs import ModelOutput
from pulumi_azureml.operations import git_commit
from release.assets import contents
from release.configuration import excluded, group
from release.errors import ReleaseError
from release.project import program_folder
from release.promotion.registry import find_model, out_of_reach
from release.publishing.metadata import Release
from release.stack import PulumiStack
from release.workspace import registry_client

_FIX = "use the file that `release publish` wrote, and find out who changed this one"


def deployable(
    release: Release, target: PulumiStack, endpoint: str | None, say: Callable[[str], None]
) -> dict[str, ModelOutput]:
    """Return the model for each endpoint of a stack that a release deploys to.

    Raises:
        ReleaseError: The gate refused the model, the stack has none of the endpoints, it cannot read the model, or the
            registry has other files under this version.
    """
    if not release.gate.accepted:
        raise ReleaseError(
            f"the gate refused {release.model.name} version {release.model.version}: {release.gate.reason}",
            fix="deploy a release whose gate accepted the model",
        )
    if release.gate.model != release.model.name:
        raise ReleaseError(
            f"the gate's decision is about model {release.gate.model}, not {release.model.name}", fix=_FIX
        )
    config = target.config()
    endpoints = _endpoints(
        release, target.name, endpoint, [name for name in _served(release) if excluded(config, name)]
    )
    used = group(config, "sharing").get("registry")
    model = release.model
    if str(used).lower() != model.registry.lower():
        raise out_of_reach(target.name, model.reference, f"registry '{model.registry}'", used, model.registry)
    _same_bytes(release, target.name)
    say(f"registry {model.registry} has {model.name} version {model.version}, SHA-256 {model.sha256[:12]}")
    here = git_commit(program_folder()).removesuffix("-dirty")
    if here != release.commit.removesuffix("-dirty"):
        say(f"the model is from commit {release.commit}, and the files that are deployed from {here}")
    for name in endpoints:
        now = group(config, "models").get(name)
        if isinstance(now, dict) and _is_later(now, model.reference):
            say(f"{name} goes back: the stack file has version {now['version']} of {model.name}, which is later")
    return dict.fromkeys(endpoints, model.reference)


def _is_later(now: Mapping[str, object], model: ModelOutput) -> bool:
    """Whether a stack file has a later version of a model, by the numbers that the registry gives."""
    same = {**now, "version": model.version} == model.model_dump(exclude_none=True)
    version = str(now.get("version", ""))
    return same and version.isdecimal() and model.version.isdecimal() and int(version) > int(model.version)


def _served(release: Release) -> list[str]:
    return list(dict.fromkeys(each.endpoint for each in release.deployments))


def _endpoints(release: Release, target: str, endpoint: str | None, left_out: list[str]) -> list[str]:
    known = _served(release)
    if endpoint is not None and endpoint not in known:
        raise ReleaseError(f"the release has no endpoint '{endpoint}'; it has: {', '.join(known) or 'none'}")
    wanted = [name for name in ([endpoint] if endpoint else known) if name not in left_out]
    if not wanted:
        raise ReleaseError(
            f"stack '{target}' leaves out each endpoint of the release: {', '.join(left_out) or 'it has none'}",
            fix=f"remove `exclude` from the overrides in Pulumi.{target}.yaml",
        )
    return wanted


def _same_bytes(release: Release, target: str) -> None:
    """Compare the files in the registry with those that were published."""
    model = release.model
    found = find_model(target, model.reference, model.registry)
    if found is None:
        raise ReleaseError(
            f"registry '{model.registry}' has no model {model.name} version {model.version}",
            fix=f"release publish --stack {release.stack} --job {release.training.name}",
        )
    confirmed = found.tags or {}
    differs = [tag for tag, value in release.evidence.items() if confirmed.get(tag) != value]
    if differs:
        unknown = not any(tag in confirmed for tag in differs)
        raise ReleaseError(
            f"registry '{model.registry}' does not confirm the training job and the gate's decision about {model.name} "
            f"version {model.version}: {', '.join(differs)} {'is missing' if unknown else 'differs'}",
            fix=f"publish it again, and use the new file: release publish --stack {release.stack} "
            f"--job {release.training.name}"
            if unknown
            else _FIX,
        )
    with tempfile.TemporaryDirectory(prefix="release-deploy-") as folder:
        content = contents.of(registry_client(model.registry), "model", found, Path(folder) / "files")
    if content.sha256 != model.sha256:
        raise ReleaseError(
            f"the files of {model.name} version {model.version} in registry '{model.registry}' differ from the "
            f"published files: SHA-256 {content.sha256[:12]} instead of {model.sha256[:12]}",
            fix="train and publish a new version",
        )
