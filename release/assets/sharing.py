"""Share asset versions from a workspace to a registry: the same version, the same bytes, and where they came from."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from release.assets import contents
from release.assets.contents import Content
from release.errors import ReleaseError

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

KINDS = ("component", "data", "environment", "model")
_OPERATIONS = {"component": "components", "data": "data", "environment": "environments", "model": "models"}
_REFERENCE = re.compile(r"(?:.*/)?([^/:@]+)(?:/versions/|:)([^/:@]+)")
# Lineage tag → where a version says it: the names of its tags and properties, the first that it has.
_LINEAGE: Mapping[str, tuple[str, ...]] = {
    "shared_from_job": ("pipeline_job", "training_run_id", "azureml.jobName", "mlflow.runId"),
    "shared_from_data": ("data",),
    "shared_from_commit": ("git_sha", "azureml.git.commit", "mlflow.source.git.commit"),
}
CONTENT_TAG = "shared_content_sha256"


@dataclass(frozen=True)
class SharedVersion:
    """A version in a registry: its id there, and whether it was made now rather than found."""

    kind: str
    name: str
    version: str
    id: str
    created: bool


@dataclass
class RegistrySharing:
    """Shares from one workspace to one registry.

    Attributes:
        workspace: client of the workspace.
        registry: client of the registry.
        registry_name: its name.
        origin: ARM id of the workspace, which becomes a tag.
        say: told what is done, line by line.
    """

    workspace: MLClient
    registry: MLClient
    registry_name: str
    origin: str
    say: Callable[[str], None]
    _done: dict[tuple[str, str, str], SharedVersion] = field(default_factory=dict)

    def share(self, kind: str, name: str, version: str | None = None) -> SharedVersion:
        """Share a version (default: the latest), with what it refers to; sharing it again changes nothing.

        Raises:
            ReleaseError: it does not exist, the registry has other content under that version, what was written is not
                what was read back, or Azure refuses.
        """
        with _told(f"{kind} {name}"):
            source = self._source(kind, name, version)
            known = self._done.get((kind, name, str(source.version)))
            if known is None:
                known = self._done[kind, name, str(source.version)] = self._share(kind, source)
        return known

    def _share(self, kind: str, source: Any) -> SharedVersion:
        began = time.monotonic()
        what = f"{kind} {source.name}:{source.version}"
        with tempfile.TemporaryDirectory(prefix="release-share-") as folder:
            files = Path(folder) / "source"
            content = contents.of(self.workspace, kind, source, files)
            uses = self._uses(kind, source)
            wanted = _tags(self.origin, source, content)
            there = self._find(kind, source.name, source.version)
            if there is None:
                self.say(f"{what}: sharing {len(content.files)} file(s)")
                self._write(kind, source, files, wanted, uses)
            elif differs := self._difference(kind, there, content, uses, Path(folder) / "there"):
                raise ReleaseError(
                    f"registry '{self.registry_name}' has {what} with other content ({differs}). A version never "
                    "changes: register the new content under a new version and share that"
                )
            if kind in ("data", "model"):
                self._describe(kind, source, wanted)
            elif there is not None:
                wanted = {}  # somebody may have made it without lineage, and it can no longer be told
            written = self._verify(kind, source, content, uses, wanted, Path(folder) / "written")
        took = time.monotonic() - began
        done = f"shared and read back ({content.sha256[:12]})" if there is None else "is there, with the same content"
        self.say(f"{what}: {done} in {took:.1f} s")
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
        """Share what a component refers to and return where: `environment`, or `jobs.<step>` → id in the registry."""
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
        """Return the id in the registry of something referred to, sharing it when it is the workspace's."""
        text = str(getattr(reference, "id", None) or reference)
        if "azureml://registries/" in text:
            return text[text.index("azureml://registries/") :]
        found = _REFERENCE.fullmatch(text.removeprefix("azureml:"))
        if found is None:
            raise ReleaseError(f"'{text}' names no version of a {kind}; only a named version can be shared")
        if "anonymous" in found[1].lower():
            raise ReleaseError(f"the {kind} '{text}' has no name of its own; register it under one, then refer to it")
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

    def _describe(self, kind: str, source: Any, tags: dict[str, str]) -> None:
        """Add the lineage to what the service copied."""
        operations = getattr(self.registry, _OPERATIONS[kind])
        there = operations.get(source.name, source.version)
        if not tags.items() <= (there.tags or {}).items():
            there.tags = {**(there.tags or {}), **tags}
            operations.create_or_update(there)

    def _verify(
        self, kind: str, source: Any, content: Content, uses: dict[str, str], tags: dict[str, str], folder: Path
    ) -> Any:
        """Return what the registry has now; ReleaseError where that is not what was shared."""
        what = f"{kind} {source.name}:{source.version}"
        found = self._find(kind, source.name, source.version)
        if found is None:
            raise ReleaseError(f"the registry said that {what} was written, and has no such version")
        problems = []
        if (str(found.name), str(found.version)) != (str(source.name), str(source.version)):
            problems.append(f"it is {found.name}:{found.version} there")
        if differs := self._difference(kind, found, content, uses, folder):
            problems.append(differs)
        if lost := sorted(tags.items() - (found.tags or {}).items()):
            problems.append(f"tags not written: {', '.join(key for key, _ in lost)}")
        if problems:
            raise ReleaseError(
                f"registry '{self.registry_name}' does not have {what} as it was shared: {'; '.join(problems)}. "
                "Archive it there and share another version"
            )
        return found

    def _difference(self, kind: str, there: Any, content: Content, uses: dict[str, str], folder: Path) -> str:
        """Say in what a registry's version differs, or return nothing."""
        parts = [content.difference(contents.of(self.registry, kind, there, folder))]
        if kind == "component":
            holder = there.task if getattr(there, "task", None) is not None else there
            now = {"environment": getattr(holder, "environment", None)}
            now |= {f"jobs.{step}": node.component for step, node in (getattr(there, "jobs", None) or {}).items()}
            changed = [key for key, id in uses.items() if _last(str(getattr(now[key], "id", now[key]))) != _last(id)]
            parts += [f"{key} is {now[key]}" for key in changed]
        return "; ".join(part for part in parts if part)


def _tags(origin: str, source: Any, content: Content) -> dict[str, str]:
    """Return a version's tags with its lineage."""
    said = {**(source.properties or {}), **(source.tags or {})}
    if job := getattr(source, "job_name", None):
        said.setdefault("azureml.jobName", job)
    tags = {key: str(value) for key, value in (source.tags or {}).items()}
    for tag, names in _LINEAGE.items():
        if value := next((said[name] for name in names if said.get(name)), None):
            tags[tag] = str(value)
    return {**tags, "shared_from_workspace": origin, CONTENT_TAG: content.sha256}


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
    """Return (name, version) of an id in any spelling, or what it is where it is none."""
    found = _REFERENCE.fullmatch(asset_id.removeprefix("azureml:"))
    return found.groups() if found else (asset_id,)


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Turn what Azure or its client refuses into one error without a traceback."""
    from azure.ai.ml.exceptions import MlException
    from azure.core.exceptions import AzureError

    try:
        yield
    except (AzureError, MlException) as error:
        raise ReleaseError(f"cannot share {what}: {getattr(error, 'message', None) or error}") from error
