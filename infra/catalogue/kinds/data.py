"""Data assets: `ml/**/data.yml`."""

from __future__ import annotations

import posixpath

from infra.catalogue.assets import Draft
from infra.catalogue.documents import Document
from infra.catalogue.kinds.kind import Kind, source
from infra.catalogue.settings import CatalogueSettings

_WANTED = {"uri_file": "file", "uri_folder": "folder", "mltable": "folder"}


class DataKind(Kind):
    """A file or folder: uploaded when it is local, referenced when it is in the cloud."""

    name = "data"

    def claims(self, path: str, _document: Document) -> bool:
        """Anywhere below `ml/`."""
        return path.startswith("ml/") and posixpath.basename(path) == "data.yml"

    def collect(self, draft: Draft, _settings: CatalogueSettings) -> None:
        """Note the local file or folder."""
        data = draft.definition
        source(draft, ("path",), data.get("path"), wanted=_WANTED.get(str(data.get("type", "uri_folder")), "any"))
