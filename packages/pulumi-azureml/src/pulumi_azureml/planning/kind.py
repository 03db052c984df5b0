"""What a kind of asset has to say about its YAML. Each kind is one file in `planning/kinds`."""

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
# Characters of a wrong name that a message shows.
_SHOWN = 40
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,29}")


class Kind(ABC):
    """How one kind of asset is planned.

    Attributes:
        name: what the kind is called in plans and states, and the name of its files.
        hashed_as: what it is called in content hashes, where that differs: versions that exist depend on it.
        loader: azure-ai-ml's function that loads its YAML.
        schemas: azure-ai-ml's marshmallow schemas for its YAML, as `module:Class` below `azure.ai.ml._schema`, by what
            `schema_type` returns.
        versioned: Azure keeps versions of it that never change, so its definition carries one.
        metadata: the top-level keys that can change under a version.
    """

    name: ClassVar[str]
    hashed_as: ClassVar[str] = ""
    loader: ClassVar[str]
    schemas: ClassVar[Mapping[str, str]]
    versioned: ClassVar[bool] = False
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

    def loader_of(self, _definition: Definition) -> str:
        """The name of azure-ai-ml's function that loads a definition."""
        return self.loader

    def asset_name(self, document: Document) -> str:
        """The asset's name; what is not text is reported by the schema."""
        name = document.data.get("name")
        return name if isinstance(name, str) else ""

    def check_name(self, draft: Draft) -> None:
        """Report a name that Azure refuses."""
        if not _ASSET_NAME.fullmatch(draft.id.name):
            fix = "use letters, digits, '-', '_' and '.', starting with a letter or digit, 255 at most"
            shown = draft.id.name if len(draft.id.name) <= _SHOWN else f"{draft.id.name[:_SHOWN]}…"
            draft.problem(("name",), f"'{shown}' is not a valid name", fix)

    def relate(self, draft: Draft, drafts: Drafts) -> None:  # noqa: B027 - most kinds need nothing
        """Note needs that no reference in the YAML tells (`Draft.needs`)."""

    def check(self, _draft: Draft, _drafts: Drafts, _settings: CatalogueSettings) -> Iterator[Problem]:
        """Problems that show only beside the other assets."""
        return iter(())

    def finish(self, draft: Draft, resolved: Mapping[AssetId, Asset]) -> None:  # noqa: B027 - most kinds need nothing
        """Amend the definition after its references are exact. `resolved` holds what it depends on."""

    @property
    def title(self) -> str:
        """The name in words, for messages."""
        return self.name.replace("_", " ")

    @property
    def types(self) -> frozenset[str]:
        """The values of `type:` that decide its schema; empty when one schema serves all."""
        return frozenset(self.schemas) - {""}


def draft_of(kind: Kind, document: Document, definition: Definition, *, is_shared: bool) -> Draft:
    """A draft with its name and pinned version checked."""
    draft = Draft(AssetId(kind.name, kind.asset_name(document)), document, definition, is_shared=is_shared)
    if draft.id.name:
        kind.check_name(draft)
    version = definition.pop("version", None) if kind.versioned else None
    if version is not None:
        draft.version = str(version)
        if not _VERSION.fullmatch(draft.version):
            fix = "use letters, digits, '-', '_' and '.', 30 at most, or leave `version` out to version by content"
            draft.problem(("version",), f"'{draft.version}' is not a valid version", fix)
    return draft
