"""What a kind of asset has to say about itself. A new kind is one file beside this one, and one line in `__init__`."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar

from infra.catalogue.assets import Asset, AssetId, Definition, Draft, Source, Use
from infra.catalogue.documents import Document, KeyPath
from infra.catalogue.problems import Problem, listing, suggestion
from infra.catalogue.references import is_asset
from infra.catalogue.settings import CatalogueSettings

Drafts = Mapping[AssetId, Draft]

_ASSET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,29}")
_CLOUD = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:", re.ASCII)


class Kind(ABC):
    """One kind of asset.

    Attributes:
        name: what the kind is called in plans, states and outputs.
        versioned: Azure keeps versions of it, so its definition carries one.
        metadata: the top-level keys that can change under a version.
    """

    name: ClassVar[str]
    versioned: ClassVar[bool] = True
    metadata: ClassVar[frozenset[str]] = frozenset({"description", "display_name", "tags"})

    @abstractmethod
    def claims(self, path: str, document: Document) -> bool:
        """Whether a file is one of this kind, by where it lies."""

    @abstractmethod
    def collect(self, draft: Draft, settings: CatalogueSettings) -> None:
        """Note what the YAML uses and which local files belong to it, and what is wrong with it alone."""

    def schema_type(self, _document: Document) -> str:
        """Which of the kind's schemas a document has to follow; see `schema.types_of`."""
        return ""

    def asset_name(self, document: Document) -> str:
        """The asset's name; what is not text is reported by the schema."""
        name = document.data.get("name")
        return name if isinstance(name, str) else ""

    def check_name(self, draft: Draft) -> None:
        """Report a name that Azure refuses."""
        if not _ASSET_NAME.fullmatch(draft.id.name):
            fix = "use letters, digits, '-', '_' and '.', starting with a letter or digit, 255 at most"
            draft.problem(("name",), f"'{draft.id.name}' is not a valid name", fix)

    def check(self, _draft: Draft, _drafts: Drafts, _settings: CatalogueSettings) -> Iterator[Problem]:
        """Problems that show only beside the other assets."""
        return iter(())

    def finish(self, draft: Draft, resolved: Mapping[AssetId, Asset]) -> None:  # noqa: B027 - most kinds need nothing
        """Amend the definition after its references are exact. `resolved` holds what it depends on."""


def draft_of(kind: Kind, document: Document, definition: Definition) -> Draft:
    """A draft with its name and pinned version checked."""
    draft = Draft(AssetId(kind.name, kind.asset_name(document)), document, definition)
    if draft.id.name:
        kind.check_name(draft)
    version = definition.pop("version", None) if kind.versioned else None
    if version is not None:
        draft.version = str(version)
        if not _VERSION.fullmatch(draft.version):
            fix = "use letters, digits, '-', '_' and '.', 30 at most, or leave `version` out to version by content"
            draft.problem(("version",), f"'{draft.version}' is not a valid version", fix)
    return draft


def is_local(path: str) -> bool:
    """Whether a `path:` is a file of this tree, not a URL, a datastore path or an asset."""
    return not _CLOUD.match(path) or path.startswith("file:") or re.match(r"[A-Za-z]:[\\/]", path) is not None


def use(draft: Draft, keys: KeyPath, kind: str, value: object) -> None:
    """Note a reference, if it is one."""
    if isinstance(value, str) and "${{" not in value:
        draft.uses.append(Use(keys, kind, value))
    elif isinstance(value, dict) and kind in {"environment", "model"}:
        where = ".".join(map(str, keys))
        fix = f"give it a file of its own (`{kind}.yml` below `ml/`) and refer to it as `azureml:NAME`"
        draft.problem(keys, f"'{where}' is defined in place, so Azure would keep it without a name", fix)


def source(draft: Draft, keys: KeyPath, value: object, *, wanted: str = "any", is_yaml: bool = False) -> None:
    """Note a local file or folder, if it is one."""
    if isinstance(value, str) and is_local(value) and not is_asset(value):
        draft.sources.append(Source(keys, value.removeprefix("file:"), wanted, is_yaml))


def compute(draft: Draft, keys: KeyPath, value: object, settings: CatalogueSettings) -> None:
    """Report a compute target that the stack does not have."""
    if not isinstance(value, str) or "${{" in value or value.startswith(("azureml:/", "/subscriptions/")):
        return
    name = value.removeprefix("azureml:")
    if name not in settings.computes and name not in {"serverless", "local"}:
        otherwise = f"use one of {listing(settings.computes)}, or `serverless`"
        draft.problem(keys, f"unknown compute '{name}'", suggestion(name, settings.computes, otherwise=otherwise))
