"""Models kept in the tree: custom, MLflow or Triton. Those from training are registered by the pipeline."""

from __future__ import annotations

import io
from typing import Any

from infra.azureml.kinds.asset import VersionedAsset


class ModelKind(VersionedAsset):
    """A model version from a local path or a cloud path."""

    name = "model"
    operations = "models"

    def load(self, source: io.StringIO, origin: str) -> Any:
        """Load through azure-ai-ml."""
        from azure.ai.ml import load_model

        return load_model(source, relative_origin=origin)
