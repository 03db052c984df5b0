"""Data assets: a file, a folder or an MLTable, uploaded or referenced."""

from __future__ import annotations

import io
from typing import Any

from infra.azureml.kinds.asset import VersionedAsset


class DataKind(VersionedAsset):
    """A data asset version; a local path is uploaded, a cloud path is referenced."""

    name = "data"
    operations = "data"

    def load(self, source: io.StringIO, origin: str) -> Any:
        """Load through azure-ai-ml."""
        from azure.ai.ml import load_data

        return load_data(source, relative_origin=origin)
