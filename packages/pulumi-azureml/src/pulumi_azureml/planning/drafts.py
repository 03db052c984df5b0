"""Drafts of assets, and the helpers by which a kind collects what an asset uses from its YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from pulumi_azureml.planning.assets import AssetId, Definition, Outside, collection
from pulumi_azureml.planning.documents import Document, KeyPath
from pulumi_azureml.planning.overrides import Overridden
from pulumi_azureml.planning.problems import Problem, listing, suggestion
from pulumi_azureml.planning.references import in_registry, is_asset, parse
from pulumi_azureml.planning.settings import CatalogueSettings
from pulumi_azureml.planning.tree import Tree

# A workspace creates these itself and stores its own data in them. The last one is for imports of data.
DEFAULT_DATASTORES = frozenset({
    "workspaceblobstore", "workspaceartifactstore", "workspacefilestore", "workspaceworkingdirectory",
    "workspacemanageddatastore",
})  # fmt: skip
_IN_DATASTORE = re.compile(r"azureml://datastores/([^/]+)(?:/|$)", re.IGNORECASE)
_DATASTORE = re.compile(r"(?:azureml:)?([^:/]+)", re.IGNORECASE)
_CLOUD = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:", re.ASCII)


@dataclass(frozen=True)
class Build:
    """The parts of a `BuildPlan` that the YAML and the settings define, before hashing."""

    dockerfile: str
    arguments: Mapping[str, str]
    login_server: str | None


@dataclass
class Draft:
    """An asset that is being planned: a document, and what its kind collected from it.

    `definition` starts as the document's mapping and becomes `Asset.definition`. A kind adds `uses`, `sources`,
    `inlines`, `extracted` (steps whose work becomes a component), `needs` (assets that must exist first although no
    reference names them), `problems` and `warnings`. The catalogue then adds `targets` (the asset of each reference)
    and `trees`. `is_shared`: the asset is in a registry. `is_broken`: its inputs or outputs may have problems, so that
    assets that use it are not checked against it. `broken`: assets that a file would define if it had no problem.
    `outside`: references to assets that no file defines. `inherited`: those of a schedule's pipeline. `inline_at`: its
    keys in its file, if another asset's definition contains it. `overridden`: the values that the stack sets in place
    of the file's, by dotted key.
    """

    id: AssetId
    document: Document
    definition: Definition
    version: str = ""
    uses: list[Use] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    inlines: list[Inline] = field(default_factory=list)
    extracted: set[str] = field(default_factory=set)
    needs: list[AssetId] = field(default_factory=list)
    targets: dict[KeyPath, AssetId] = field(default_factory=dict)
    trees: dict[KeyPath, Tree] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    waiting_for: str | None = None
    serves: str | None = None
    existing_model: str | None = None
    outside: list[Use] = field(default_factory=list)
    inherited: list[Outside] = field(default_factory=list)
    build: Build | None = None
    is_shared: bool = False
    is_broken: bool = False
    broken: AbstractSet[AssetId] = frozenset()
    inline_at: KeyPath = ()
    overridden: dict[str, Overridden] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The file of the asset, and its keys in the file if it is defined inline."""
        return f"{self.document.path}#{'.'.join(map(str, self.inline_at))}" if self.inline_at else self.document.path

    def problem(self, keys: KeyPath, message: str, fix: str) -> None:
        """Report a problem at a key of the document."""
        self.problems.append(self.document.problem(keys, message, fix))


@dataclass(frozen=True)
class Use:
    """A reference to another asset: its keys in the document, the expected kind, and its text.

    `may_wait`: if no file defines the asset, it comes later (a model from training), and this asset waits for it.
    """

    keys: KeyPath
    kind: str
    text: str
    may_wait: bool = False


@dataclass(frozen=True)
class Inline:
    """An asset that is defined inside another one: its keys there, its kind and its definition.

    `az ml` registers it without a name. The catalogue gives it a name and a version, and replaces it by a reference.
    """

    keys: KeyPath
    kind: str
    definition: Definition


@dataclass(frozen=True)
class Source:
    """A local file or folder that belongs to the asset. `wanted` is `file`, `folder` or `any`.

    `is_yaml`: only the parsed content counts (a conda file), so comments do not change the version. `dockerfile`: the
    one that a build context must have. `described_by`: a file of YAML that a folder may have. `may_be_packed`:
    azure-ai-ml makes a zip file that does not exist of the folder with its name.
    """

    keys: KeyPath
    path: str
    wanted: str = "any"
    is_yaml: bool = False
    dockerfile: str | None = None
    described_by: str = ""
    may_be_packed: bool = False


Drafts = Mapping[AssetId, Draft]


def is_local(path: str) -> bool:
    """Whether a `path:` is a local file, not a URL, a datastore path or an asset."""
    return not _CLOUD.match(path) or path.startswith("file:") or re.match(r"[A-Za-z]:[\\/]", path) is not None


def use(draft: Draft, keys: KeyPath, kind: str, value: object) -> None:
    """Add a value to `uses` if it is a reference, and to `inlines` if it is a definition."""
    if isinstance(value, str) and "${{" not in value:
        draft.uses.append(Use(keys, kind, value))
    elif isinstance(value, dict):
        draft.inlines.append(Inline(keys, kind, value))


def check_in_registry(draft: Draft, kind: str) -> Iterator[Problem]:
    """Report references to a kind of asset that name no version in a registry: azure-ai-ml sends them as they are.

    What a list of references allows may be the latest version.
    """
    form = f"azureml://registries/NAME/{collection(kind)}/ASSET/versions/VERSION"
    for each in draft.uses:
        reference = parse(each.text, folder=draft.document.folder)
        if each.kind != kind or reference is None or each.keys in draft.targets:
            continue
        shared, may_be_latest = in_registry(each.text), each.keys[0] == "allowed_deployment_templates"
        if reference.name and each in draft.outside:
            message = f"no file of a shared asset defines {kind.replace('_', ' ')} '{reference.name}'"
            yield draft.document.problem(each.keys, message, f"add the file, or write `{form}`")
        elif reference.elsewhere and (shared is None or shared.kind != kind or not (shared.version or may_be_latest)):
            message = f"'{each.text}' is not the version of an asset in a registry"
            yield draft.document.problem(each.keys, message, f"write `{form}`")


def source(
    draft: Draft,
    keys: KeyPath,
    value: object,
    *,
    wanted: str = "any",
    is_yaml: bool = False,
    dockerfile: str | None = None,
    described_by: str = "",
    may_be_packed: bool = False,
) -> None:
    """Add a value to `sources` if it is a local file or folder."""
    if isinstance(value, str) and not value.strip():
        where = ".".join(map(str, keys))
        draft.problem(keys, f"'{where}' is empty", "write a path, or remove the key")
    elif isinstance(value, str) and is_local(value) and not is_asset(value):
        path = value.removeprefix("file:")
        draft.sources.append(Source(keys, path, wanted, is_yaml, dockerfile, described_by, may_be_packed))


def datastores(value: object, keys: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Yield the datastores in a definition with their keys: those in paths, and a pipeline's default."""
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
        otherwise = (
            f"use one of {listing(settings.computes)}, or `serverless`" if settings.computes else "use `serverless`"
        )
        draft.problem(keys, f"unknown compute '{name}'", suggestion(name, settings.computes, otherwise=otherwise))
