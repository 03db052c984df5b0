"""Assets as the catalogue plans them: versions, content, files and dependencies."""

from __future__ import annotations

import copy
import hashlib
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from pulumi_azureml.planning.documents import KeyPath
from pulumi_azureml.planning.overrides import Overridden
from pulumi_azureml.planning.tree import SHORT, Tree

Definition = dict[str, Any]


@dataclass(frozen=True, order=True)
class AssetId:
    """An asset's kind and name, the same for all versions. A deployment's name is `<endpoint>/<deployment>`."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.replace('_', ' ')} {self.name}"


@dataclass(frozen=True, order=True)
class Excluded:
    """An asset that the stack leaves out, its file, and the option that says so."""

    id: AssetId
    path: str
    option: str


@dataclass(frozen=True, order=True)
class Left:
    """A file that looks like an asset and is not planned: what it is, and why it stays with `az ml`."""

    path: str
    what: str
    why: str


@dataclass(frozen=True, order=True)
class Outside:
    """A reference to an asset that no file defines: its kind, its text, and its keys in the file.

    `path` is the file, if it is not that of the asset: a schedule has the references of its pipeline.
    """

    kind: str
    text: str
    keys: KeyPath
    path: str = ""

    def place(self, path: str) -> str:
        """Return where the reference is, for messages. `path` is the file of the asset."""
        return f"{self.path or path}: `{'.'.join(map(str, self.keys))}`"


@dataclass(frozen=True)
class BuildPlan:
    """A Docker image that the stack builds. `tag` is the hash of all its inputs.

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
        """The repository and tag that the image is pushed to."""
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
        azure_name: its name in Azure. Only an endpoint's can differ from the one in the YAML.
        version: the one in the YAML, else a prefix of `content_hash`. Schedules, endpoints, deployments and pipelines
            have no version in Azure: theirs only shows whether they changed.
        pinned: the YAML sets the version. Code that knows the previous hash must then refuse changed content.
        content_hash: SHA-256, hex, of everything that defines this version.
        path: the YAML file, relative to the root. An asset that is defined inline has `#` and its keys after it.
        definition: the input for `az ml`: references name exact versions, local paths are relative to the root.
        metadata: the part of `definition` that can change within a version: description, tags, display name.
        paths: the keys in `definition` that hold local paths.
        files: path → short digest; folders (`src/`) if there are many files.
        trees: for each entry of `paths`, the tree to upload.
        depends_on: assets that must exist first.
        dependants: assets that refer to this one.
        build: the image that the stack builds for this environment.
        waiting_for: the reason it cannot exist yet, such as a deployment without a model; None if it can.
        registry: the registry that it is shared in; None if it is in the workspace.
        serves: for a deployment, the model whose version the configuration selects; `*` for any model.
        existing_model: for a deployment, the reference to its model's version if no asset of the plan makes it, so
            that it must exist already.
        outside: the references to assets that no file defines, so that the workspace must have them.
        overridden: the values of `definition` that the stack sets in place of the file's, by dotted key.
    """

    id: AssetId
    azure_name: str
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
    existing_model: str | None = None
    outside: tuple[Outside, ...] = ()
    overridden: Mapping[str, Overridden] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The kind's name."""
        return self.id.kind

    @property
    def name(self) -> str:
        """The name in the YAML, which all versions share."""
        return self.id.name

    @property
    def reference(self) -> str:
        """The reference to exactly this version in another asset's YAML."""
        return reference(self.kind, self.name, self.version, self.registry)

    def on_disk(self, root: Path) -> Definition:
        """The definition with absolute paths, so that azure-ai-ml can load it from any folder."""
        result = copy.deepcopy(self.definition)
        for keys in self.paths:
            put(result, keys, str(root / get(result, keys)))
        return result


def reference(kind: str, name: str, version: str, registry: str | None = None) -> str:
    """The reference to a version in the workspace or in a registry."""
    if registry is None:
        return f"azureml:{name}:{version}"
    return f"azureml://registries/{registry}/{collection(kind)}/{name}/versions/{version}"


def collection(kind: str) -> str:
    """The part of an id in a registry that names the kind."""
    return {"data": "data", "deployment_template": "deploymenttemplates"}.get(kind, f"{kind}s")


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
    """SHA-256, hex, of a value. The order of its keys does not matter."""
    text = json.dumps(normalised(content), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def short(hash_: str) -> str:
    """Shorten a hash to a version."""
    return hash_[:SHORT]
