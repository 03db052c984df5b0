"""Components: a command, pipeline, sweep, parallel or Spark step with its code folder."""

from __future__ import annotations

import io
from typing import Any

from infra.azureml.kinds.asset import VersionedAsset


class ComponentKind(VersionedAsset):
    """A component version; unchanged code is found by its hash and not uploaded again."""

    name = "component"
    operations = "components"

    def load(self, source: io.StringIO, origin: str) -> Any:
        """Load through azure-ai-ml."""
        from azure.ai.ml import load_component

        return load_component(source, relative_origin=origin)
