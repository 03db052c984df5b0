"""What the catalogue plans: assets with their versions, content, files and neighbours."""

from __future__ import annotations

import copy
import hashlib
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from pulumi_azureml.planning.documents import KeyPath
from pulumi_azureml.planning.tree import SHORT, Tree

Definition = dict[str, Any]


@dataclass(frozen=True, order=True)
class AssetId:
    """What an asset is called across its versions. A deployment's name is `<endpoint>/<deployment>`."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.replace('_', ' ')} {self.name}"


@dataclass(frozen=True)
class BuildPlan:
    """A Docker image that the stack builds: `tag` is the hash of everything that goes into it.

    `context` is relative to the root, `dockerfile` to the context, `repository` to the login server.
    """

    context: str
    dockerfile: str
    arguments: Mapping[str, str]
    repository: str
    tag: str
    login_server: str | None

    @property
    def image(self) -> str:
        """Where the image is pushed to."""
        return (
            f"{self.login_server}/{self.repository}:{self.tag}"
            if self.login_server
            else f"{self.repository}:{self.tag}"
        )


@dataclass(frozen=True)
class Asset:
    """One planned asset.

    Attributes:
        id: kind and name.
        version: the YAML's own, else the beginning of `content_hash`. Schedules, endpoints, deployments and pipelines
            have no version in Azure: theirs only says whether they changed.
        pinned: the YAML says the version, so changed content has to be refused by who knows the old hash.
        content_hash: SHA-256, hex, of everything that makes this version what it is.
        path: the YAML file, relative to the root.
        definition: what `az ml` would be given: references are exact, local paths relative to the root.
        metadata: the part of `definition` that can be changed under a version: description, tags, display name.
        paths: the keys in `definition` that hold local paths.
        files: path → short digest; folders (`src/`) when there are many.
        trees: for each entry of `paths`, what is to be uploaded.
        depends_on: assets that have to exist first.
        dependants: assets that name this one.
        build: the image that the stack builds for this environment.
        waiting_for: why it cannot exist yet, as a deployment without a model; None when it can.
        registry: the registry that it is shared in; None when it lives in the workspace.
        serves: of a deployment, the model of which the configuration picks the version; `*` for any model.
    """

    id: AssetId
    version: str
    pinned: bool
    content_hash: str
    path: str
    definition: Definition
    metadata: Definition
    paths: tuple[KeyPath, ...]
    files: Mapping[str, str]
    trees: Mapping[KeyPath, Tree]
    depends_on: tuple[AssetId, ...]
    dependants: tuple[AssetId, ...] = ()
    build: BuildPlan | None = None
    waiting_for: str | None = None
    registry: str | None = None
    serves: str | None = None

    @property
    def kind(self) -> str:
        """The kind's name."""
        return self.id.kind

    @property
    def name(self) -> str:
        """The name across versions."""
        return self.id.name

    @property
    def reference(self) -> str:
        """How another asset names exactly this version."""
        return reference(self.kind, self.name, self.version, self.registry)

    def on_disk(self, root: Path) -> Definition:
        """The definition with absolute paths, as azure-ai-ml's loaders take it from anywhere."""
        result = copy.deepcopy(self.definition)
        for keys in self.paths:
            put(result, keys, str(root / get(result, keys)))
        return result


def reference(kind: str, name: str, version: str, registry: str | None = None) -> str:
    """How a definition names a version, of the workspace or of a registry."""
    if registry is None:
        return f"azureml:{name}:{version}"
    collection = kind if kind == "data" else f"{kind}s"
    return f"azureml://registries/{registry}/{collection}/{name}/versions/{version}"


def get(definition: Any, keys: KeyPath) -> Any:
    """The value at a key path."""
    for key in keys:
        definition = definition[key]
    return definition


def put(definition: Any, keys: KeyPath, value: Any) -> None:
    """Replace the value at a key path."""
    get(definition, keys[:-1])[keys[-1]] = value


def normalised(value: Any) -> Any:
    """A YAML value as plain JSON: text keys in order, dates as ISO text, text in one Unicode form and LF."""
    if isinstance(value, dict):
        return {str(key): normalised(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list | tuple):
        return [normalised(item) for item in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value.replace("\r\n", "\n"))
    return value


def content_hash(content: Definition) -> str:
    """SHA-256, hex, of a value, whatever the order of its keys."""
    text = json.dumps(normalised(content), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def short(hash_: str) -> str:
    """A hash as a version."""
    return hash_[:SHORT]
