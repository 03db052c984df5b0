"""Models: `ml/**/model.yml`."""

from __future__ import annotations

import posixpath

from infra.catalogue.assets import Draft
from infra.catalogue.documents import Document
from infra.catalogue.kinds.kind import Kind, source
from infra.catalogue.settings import CatalogueSettings

_WANTED = {"mlflow_model": "folder", "triton_model": "folder"}


class ModelKind(Kind):
    """A model from local files, a job's output or a registry. Most models are registered by a pipeline instead."""

    name = "model"

    def claims(self, path: str, _document: Document) -> bool:
        """Anywhere below `ml/`."""
        return path.startswith("ml/") and posixpath.basename(path) == "model.yml"

    def collect(self, draft: Draft, _settings: CatalogueSettings) -> None:
        """Note the local file or folder."""
        data = draft.definition
        source(draft, ("path",), data.get("path"), wanted=_WANTED.get(str(data.get("type")), "any"))
