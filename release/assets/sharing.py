"""Copy asset versions from a workspace to a registry: the same version and bytes, with tags for their origin."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from release.actor import actor
from release.assets import contents
from release.assets.contents import Content
from release.errors import ReleaseError

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

KINDS = ("component", "data", "environment", "model")
_OPERATIONS = {"component": "components", "data": "data", "environment": "environments", "model": "models"}
_REFERENCE = re.compile(r"(?:.*/)?([^/:@]+)(?:/versions/|:)([^/:@]+)")
# Lineage tags, and the tags or properties that they are read from. The first one that the version has is used.
_LINEAGE: Mapping[str, tuple[str, ...]] = {
    "shared_from_job": ("pipeline_job", "training_run_id", "azureml.jobName", "mlflow.runId"),
    "shared_from_data": ("data",),
    "shared_from_code": ("training_code_sha256",),
    "shared_from_commit": ("git_sha", "azureml.git.commit", "mlflow.source.git.commit"),
}
CONTENT_TAG = "shared_content_sha256"
# The ARM id of the workspace that a version was shared from.
ORIGIN_TAG = "shared_from_workspace"
# Who shared it first.
ACTOR_TAG = "shared_by"


@dataclass(frozen=True)
class SharedVersion:
    """A version in a registry, its id there, and whether it was created now."""

    kind: str
    name: str
    version: str
    id: str
    created: bool


@dataclass
class RegistrySharing:
    """Shares from one workspace to one registry.

    Attributes:
        workspace: Client of the workspace.
        registry: Client of the registry.
        registry_name: Name of the registry.
        origin: ARM id of the workspace, which becomes a tag.
        say: Takes each line of progress.
    """

    workspace: MLClient
    registry: MLClient
    registry_name: str
    origin: str
    say: Callable[[str], None]
    _done: dict[tuple[str, str, str], SharedVersion] = field(default_factory=dict)

    def share(self, kind: str, name: str, version: str | None = None) -> SharedVersion:
        """Share a version (default: the latest) and the assets that it refers to. You can repeat this.

        Raises:
            ReleaseError: The version does not exist, the registry has it with different content, the content read back
                differs from the content written, or Azure returns an error.
        """
        with _one_error(f"{kind} {name}"):
            source = self._source(kind, name, version)
            known = self._done.get((kind, name, str(source.version)))
            if known is None:
                known = self._done[kind, name, str(source.version)] = self._share(kind, source)
        return known

    def _share(self, kind: str, source: Any) -> SharedVersion:
        began = time.monotonic()
        what = f"{kind} {source.name}:{source.version}"
        if type_ := contents.control_flow(source):
            raise ReleaseError(
                f"{what} has a step of type {type_}, which azure-ai-ml does not write back",
                fix="move the component's file below `ml/shared/`: an update then registers it in the registry",
            )
        with tempfile.TemporaryDirectory(prefix="release-share-") as folder:
            files = Path(folder) / "source"
            content = contents.of(self.workspace, kind, source, files)
            uses = self._uses(kind, source)
            wanted = _tags(self.origin, source, content)
            there = self._find(kind, source.name, source.version)
            if there is not None:
                wanted[ACTOR_TAG] = (there.tags or {}).get(ACTOR_TAG, wanted[ACTOR_TAG])
            if there is None:
                self.say(f"{what}: sharing {len(content.files)} file(s)")
                self._write(kind, source, files, wanted, uses)
            elif differs := self._difference(kind, there, content, uses, Path(folder) / "there"):
                raise ReleaseError(
                    f"registry '{self.registry_name}' has {what} with different content ({differs})",
                    fix="register the new content under a new version in the workspace, and share that version",
                )
            if kind in ("data", "model"):
                self._describe(kind, source.name, source.version, wanted)
            elif there is not None:
                wanted = {}  # it may have been created without lineage, and its tags can no longer be changed
            written = self._verify(kind, source, content, uses, wanted, Path(folder) / "written")
        took = time.monotonic() - began
        new, same = f"shared and verified, SHA-256 {content.sha256[:12]}", "already shared with the same content"
        self.say(f"{what}: {new if there is None else same} ({took:.1f} s)")
        return SharedVersion(kind, str(source.name), str(source.version), str(written.id), there is None)

    def _source(self, kind: str, name: str, version: str | None) -> Any:
        from azure.core.exceptions import ResourceNotFoundError

        operations = getattr(self.workspace, _OPERATIONS[kind])
        try:
            return operations.get(name, version) if version else operations.get(name, label="latest")
        except ResourceNotFoundError as error:
            which = f"version {version} of {kind} '{name}'" if version else f"{kind} '{name}'"
            raise ReleaseError(f"the workspace has no {which}") from error

    def _find(self, kind: str, name: str, version: str) -> Any:
        from azure.core.exceptions import ResourceNotFoundError

        try:
            return getattr(self.registry, _OPERATIONS[kind]).get(name, version)
        except ResourceNotFoundError:
            return None

    def _uses(self, kind: str, source: Any) -> dict[str, str]:
        """Share the assets that a component refers to. Return their ids by key: `environment` or `jobs.<step>`."""
        if kind != "component":
            return {}
        found = {}
        holder = source.task if getattr(source, "task", None) is not None else source
        if environment := getattr(holder, "environment", None):
            found["environment"] = self._reference("environment", environment)
        for step, node in (getattr(source, "jobs", None) or {}).items():
            found[f"jobs.{step}"] = self._reference("component", node.component)
        return found

    def _reference(self, kind: str, reference: Any) -> str:
        """Return the id in the registry of an asset that is referred to. Share the asset if it is in the workspace."""
        text = str(getattr(reference, "id", None) or reference)
        if "azureml://registries/" in text:
            return text[text.index("azureml://registries/") :]
        found = _REFERENCE.fullmatch(text.removeprefix("azureml:"))
        if found is None:
            raise ReleaseError(
                f"reference '{text}' does not name a version", fix=f"refer to the {kind} as azureml:NAME:VERSION"
            )
        if "anonymous" in found[1].lower():
            raise ReleaseError(f"{kind} '{text}' is anonymous", fix="register it under a name, and refer to that name")
        return self.share(kind, found[1], found[2]).id

    def _write(self, kind: str, source: Any, files: Path, tags: dict[str, str], uses: dict[str, str]) -> None:
        if kind in ("data", "model"):
            getattr(self.workspace, _OPERATIONS[kind]).share(
                name=source.name,
                version=source.version,
                share_with_name=source.name,
                share_with_version=source.version,
                registry_name=self.registry_name,
            )
        elif kind == "environment":
            self.registry.environments.create_or_update(_environment(source, files, tags))
        else:
            self.registry.components.create_or_update(_component(source, files, tags, uses))

    def describe(self, kind: str, name: str, version: str, tags: dict[str, str]) -> None:
        """Add tags to a version in the registry.

        Raises:
            ReleaseError: Azure returns an error.
        """
        with _one_error(f"{kind} {name}"):
            self._describe(kind, name, version, tags)

    def _describe(self, kind: str, name: str, version: str, tags: dict[str, str]) -> None:
        operations = getattr(self.registry, _OPERATIONS[kind])
        there = operations.get(name, version)
        if not tags.items() <= (there.tags or {}).items():
            there.tags = {**(there.tags or {}), **tags}
            operations.create_or_update(there)

    def _verify(
        self, kind: str, source: Any, content: Content, uses: dict[str, str], tags: dict[str, str], folder: Path
    ) -> Any:
        """Return the version that the registry has now.

        Raises:
            ReleaseError: It differs from the version that was shared.
        """
        what = f"{kind} {source.name}:{source.version}"
        found = self._find(kind, source.name, source.version)
        if found is None:
            raise ReleaseError(f"registry '{self.registry_name}' accepted {what}, but does not have this version")
        problems = []
        if (str(found.name), str(found.version)) != (str(source.name), str(source.version)):
            problems.append(f"it became {found.name}:{found.version}")
        if differs := self._difference(kind, found, content, uses, folder):
            problems.append(differs)
        if lost := sorted(tags.items() - (found.tags or {}).items()):
            problems.append(f"missing tags: {', '.join(key for key, _ in lost)}")
        if problems:
            raise ReleaseError(
                f"the copy of {what} in registry '{self.registry_name}' differs from the original: "
                f"{'; '.join(problems)}",
                fix="archive the copy in the registry, and share another version",
            )
        return found

    def _difference(self, kind: str, there: Any, content: Content, uses: dict[str, str], folder: Path) -> str:
        """Describe the differences of a registry's version. Empty if there are none."""
        parts = [content.difference(contents.of(self.registry, kind, there, folder))]
        if kind == "component":
            holder = there.task if getattr(there, "task", None) is not None else there
            now = {"environment": getattr(holder, "environment", None)}
            now |= {f"jobs.{step}": node.component for step, node in (getattr(there, "jobs", None) or {}).items()}
            changed = [key for key, id in uses.items() if _last(str(getattr(now[key], "id", now[key]))) != _last(id)]
            parts += [f"{key} is {now[key]}" for key in changed]
        return "; ".join(part for part in parts if part)


def _tags(origin: str, source: Any, content: Content) -> dict[str, str]:
    """Return a version's tags, with the lineage tags."""
    recorded = {**(source.properties or {}), **(source.tags or {})}
    if job := getattr(source, "job_name", None):
        recorded.setdefault("azureml.jobName", job)
    tags = {key: str(value) for key, value in (source.tags or {}).items()}
    for tag, names in _LINEAGE.items():
        if value := next((recorded[name] for name in names if recorded.get(name)), None):
            tags[tag] = str(value)
    return {**tags, ORIGIN_TAG: origin, CONTENT_TAG: content.sha256, ACTOR_TAG: actor()}


def _environment(source: Any, files: Path, tags: dict[str, str]) -> Any:
    from azure.ai.ml.entities import BuildContext, Environment

    build = BuildContext(path=files, dockerfile_path=source.build.dockerfile_path) if source.build else None
    return Environment(
        name=source.name,
        version=source.version,
        description=source.description,
        image=source.image,
        conda_file=source.conda_file,
        build=build,
        tags=tags,
        properties=source.properties,
        inference_config=source.inference_config,
    )


def _component(source: Any, files: Path, tags: dict[str, str], uses: dict[str, str]) -> Any:
    holder = source.task if getattr(source, "task", None) is not None else source
    if contents.code_of(source) is not None:
        holder.code = str(files)
    if environment := uses.get("environment"):
        holder.environment = environment
    for step, node in (getattr(source, "jobs", None) or {}).items():
        node._component = uses[f"jobs.{step}"]
    source.tags = tags
    return source


def _last(asset_id: str) -> tuple[str, ...]:
    """Return (name, version) of an id in any form, or the text itself if it is not an id."""
    found = _REFERENCE.fullmatch(asset_id.removeprefix("azureml:"))
    return found.groups() if found else (asset_id,)


@contextmanager
def _one_error(what: str) -> Iterator[None]:
    """Turn an error of Azure or its client into one error without a traceback."""
    from azure.ai.ml.exceptions import MlException
    from azure.core.exceptions import AzureError

    try:
        yield
    except (AzureError, MlException) as error:
        raise ReleaseError(f"cannot share {what}: {getattr(error, 'message', None) or error}") from error
