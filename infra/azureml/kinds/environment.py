"""Environments: an image, conda on an image, a Docker build context, or the image that the stack builds."""

from __future__ import annotations

import io
from typing import Any

from infra.azureml.kinds.asset import VersionedAsset
from infra.azureml.kinds.kind import Props


class EnvironmentKind(VersionedAsset):
    """An environment version.

    Further input: `image`, the `name@digest` of the image that the stack built from the definition's `build:` context;
    None where Azure ML builds the context itself. The version covers the build's inputs; the digest is no part of it.
    """

    name = "environment"
    operations = "environments"
    significant = (*VersionedAsset.significant, "image")

    def definition(self, props: Props) -> dict[str, Any]:
        """Put the stack's own image in the place of the build context."""
        definition = super().definition(props)
        if props.get("image") is not None:
            definition.pop("build", None)
            definition["image"] = props["image"]
        return definition

    def load(self, source: io.StringIO, origin: str) -> Any:
        """Load through azure-ai-ml."""
        from azure.ai.ml import load_environment

        return load_environment(source, relative_origin=origin)
