"""An asset on its way through the catalogue, and how a kind notes what it finds in the YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pulumi_azureml.planning.assets import AssetId, Definition
from pulumi_azureml.planning.documents import Document, KeyPath
from pulumi_azureml.planning.overrides import Overridden
from pulumi_azureml.planning.problems import Problem, listing, suggestion
from pulumi_azureml.planning.references import is_asset
from pulumi_azureml.planning.settings import CatalogueSettings
from pulumi_azureml.planning.tree import Tree

# A workspace makes these itself and keeps its own data in them.
DEFAULT_DATASTORES = frozenset(
    {"workspaceblobstore", "workspaceartifactstore", "workspacefilestore", "workspaceworkingdirectory"}
)
_IN_DATASTORE = re.compile(r"azureml://datastores/([^/]+)(?:/|$)", re.IGNORECASE)
_DATASTORE = re.compile(r"(?:azureml:)?([^:/]+)", re.IGNORECASE)
_CLOUD = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:", re.ASCII)


@dataclass(frozen=True)
class Build:
    """The parts of a `BuildPlan` that a YAML and the settings say, before anything is hashed."""

    dockerfile: str
    arguments: Mapping[str, str]
    login_server: str | None


@dataclass
class Draft:
    """An asset on its way through the catalogue: a document and what its kind found in it.

    `definition` starts as the document's mapping and becomes `Asset.definition`. A kind fills `uses`, `sources`,
    `needs` (assets that have to exist first without being named by a reference) and `problems`; the catalogue then
    fills `targets` (which asset a reference means) and `trees`. `is_shared`: it lives in a registry. `overridden`: what
    the stack sets in place of the file's values, by dotted key.
    """

    id: AssetId
    document: Document
    definition: Definition
    version: str = ""
    uses: list[Use] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    needs: list[AssetId] = field(default_factory=list)
    targets: dict[KeyPath, AssetId] = field(default_factory=dict)
    trees: dict[KeyPath, Tree] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    waiting_for: str | None = None
    serves: str | None = None
    existing_model: str | None = None
    build: Build | None = None
    is_shared: bool = False
    overridden: dict[str, Overridden] = field(default_factory=dict)

    def problem(self, keys: KeyPath, message: str, fix: str) -> None:
        """Report a problem at a key of the document."""
        self.problems.append(self.document.problem(keys, message, fix))


@dataclass(frozen=True)
class Use:
    """A reference to another asset: where it stands, what kind it has to be, and what is written.

    `may_wait`: what nothing in the tree defines comes later (a model from training), and the asset waits for it.
    """

    keys: KeyPath
    kind: str
    text: str
    may_wait: bool = False


@dataclass(frozen=True)
class Source:
    """A local file or folder that belongs to the asset. `wanted` is `file`, `folder` or `any`.

    `is_yaml`: only its parsed content counts (a conda file), so comments in it change nothing.
    """

    keys: KeyPath
    path: str
    wanted: str = "any"
    is_yaml: bool = False


Drafts = Mapping[AssetId, Draft]


def is_local(path: str) -> bool:
    """Whether a `path:` is a file of this tree, not a URL, a datastore path or an asset."""
    return not _CLOUD.match(path) or path.startswith("file:") or re.match(r"[A-Za-z]:[\\/]", path) is not None


def use(draft: Draft, keys: KeyPath, kind: str, value: object) -> None:
    """Note a reference, if it is one."""
    if isinstance(value, str) and "${{" not in value:
        draft.uses.append(Use(keys, kind, value))
    elif isinstance(value, dict) and kind in {"environment", "model"}:
        where = ".".join(map(str, keys))
        fix = f"give it a file of its own (`{kind}.yml`) and refer to it as `azureml:NAME`"
        draft.problem(keys, f"'{where}' is defined in place, so Azure would keep it without a name", fix)


def source(draft: Draft, keys: KeyPath, value: object, *, wanted: str = "any", is_yaml: bool = False) -> None:
    """Note a local file or folder, if it is one."""
    if isinstance(value, str) and is_local(value) and not is_asset(value):
        draft.sources.append(Source(keys, value.removeprefix("file:"), wanted, is_yaml))


def datastores(value: object, keys: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Yield the datastores that a definition names, and where: in paths, and as a pipeline's default."""
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from datastores(item, (*keys, key))
    elif isinstance(value, str):
        is_default = keys[-2:] == ("settings", "default_datastore")
        found = _DATASTORE.fullmatch(value) if is_default else _IN_DATASTORE.match(value)
        if found and "${{" not in found[1]:
            yield keys, found[1]


def compute(draft: Draft, keys: KeyPath, value: object, settings: CatalogueSettings) -> None:
    """Report a compute target that the stack does not have."""
    if not isinstance(value, str) or "${{" in value or value.startswith(("azureml:/", "/subscriptions/")):
        return
    name = value.removeprefix("azureml:")
    if settings.computes is not None and name not in settings.computes and name not in {"serverless", "local"}:
        otherwise = f"use one of {listing(settings.computes)}, or `serverless`"
        draft.problem(keys, f"unknown compute '{name}'", suggestion(name, settings.computes, otherwise=otherwise))
