"""Base class for planning a kind of asset. Each kind is one module in `planning/kinds`."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar

from pulumi_azureml.planning.assets import Asset, AssetId, Definition
from pulumi_azureml.planning.documents import Document
from pulumi_azureml.planning.drafts import Draft, Drafts
from pulumi_azureml.planning.problems import Problem
from pulumi_azureml.planning.settings import CatalogueSettings

_ASSET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")
# Number of characters of an invalid name that a message shows.
_SHOWN = 40
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class Kind(ABC):
    """Plans one kind of asset.

    Attributes:
        name: the kind's name in plans and states, and the name of its modules.
        hashed_as: its name in content hashes, if different: existing versions depend on it.
        loader: the azure-ai-ml function that loads its YAML.
        schemas: azure-ai-ml's marshmallow schemas for its YAML, as `module:Class` below `azure.ai.ml._schema`, by what
            `schema_type` returns.
        versioned: Azure keeps immutable versions of it, so its definition carries a version.
        only_shared: Azure has it in registries only.
        version_length: the number of characters that a version can have.
        metadata: the top-level keys that can change within a version.
        included: the top-level keys that can name a file in place of its content.
    """

    name: ClassVar[str]
    hashed_as: ClassVar[str] = ""
    loader: ClassVar[str]
    schemas: ClassVar[Mapping[str, str]]
    versioned: ClassVar[bool] = False
    only_shared: ClassVar[bool] = False
    version_length: ClassVar[int] = 255
    metadata: ClassVar[frozenset[str]] = frozenset({"description", "display_name", "tags"})
    included: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def claims(self, path: str) -> bool:
        """Whether a file belongs to this kind by convention. Its path is the one with the default folders."""

    @abstractmethod
    def collect(self, draft: Draft, settings: CatalogueSettings) -> None:
        """Note the YAML's references and local files, and report problems that need no other asset to detect."""

    def modernised(self, document: Document) -> Document:
        """Return a document as `az ml` writes it today, from an older form that it still takes."""
        return document

    def schema_type(self, _document: Document) -> str:
        """Select the kind's schema for a document; see `schema.types_of`."""
        return ""

    def loader_of(self, _definition: Definition) -> str:
        """The name of the azure-ai-ml function that loads a definition."""
        return self.loader

    def asset_name(self, document: Document) -> str:
        """The asset's name. The schema check reports a name that is not text."""
        name = document.data.get("name")
        return name if isinstance(name, str) else ""

    def azure_name(self, name: str, _settings: CatalogueSettings) -> str:
        """The asset's name in Azure."""
        return name

    def check_name(self, draft: Draft) -> None:
        """Report a name that Azure would reject."""
        if not _ASSET_NAME.fullmatch(draft.id.name):
            fix = "use letters, digits, '-', '_' and '.', starting with a letter or digit, 255 at most"
            shown = draft.id.name if len(draft.id.name) <= _SHOWN else f"{draft.id.name[:_SHOWN]}…"
            draft.problem(("name",), f"'{shown}' is not a valid name", fix)

    def relate(self, draft: Draft, drafts: Drafts) -> None:  # noqa: B027 - most kinds need nothing
        """Note dependencies that no reference in the YAML expresses (`Draft.needs`)."""

    def complete(self, draft: Draft, drafts: Drafts) -> None:  # noqa: B027 - most kinds need nothing
        """Amend a draft, or those that it contains, once the targets of all references are known."""

    def check(self, _draft: Draft, _drafts: Drafts, _settings: CatalogueSettings) -> Iterator[Problem]:
        """Report problems that need the other assets to detect."""
        return iter(())

    def finish(self, draft: Draft, resolved: Mapping[AssetId, Asset]) -> None:  # noqa: B027 - most kinds need nothing
        """Amend the definition once its references are exact. `resolved` holds its dependencies."""

    @property
    def title(self) -> str:
        """The kind's name in words, for messages."""
        return self.name.replace("_", " ")

    @property
    def types(self) -> frozenset[str]:
        """The values of `type:` that select a schema; empty if the kind has a single schema."""
        return frozenset(self.schemas) - {""}


def draft_of(kind: Kind, document: Document, definition: Definition, *, is_shared: bool) -> Draft:
    """Create a draft and check its name and pinned version."""
    draft = Draft(AssetId(kind.name, kind.asset_name(document)), document, definition, is_shared=is_shared)
    if draft.id.name:
        kind.check_name(draft)
    version = definition.pop("version", None) if kind.versioned else None
    if version is not None:
        draft.version = str(version)
        if not _VERSION.fullmatch(draft.version) or len(draft.version) > kind.version_length:
            fix = (
                f"use letters, digits, '-', '_' and '.', {kind.version_length} at most, or leave `version` out to "
                "version by content"
            )
            draft.problem(("version",), f"'{draft.version}' is not a valid version", fix)
    return draft
