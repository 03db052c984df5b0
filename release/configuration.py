"""The values of a stack file, as `PulumiStack.config` returns them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra import NAMESPACE
from infra.outputs import ModelOutput
from pulumi_azureml import ModelChoice


def group(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a group of settings. A preview reports a group that is not a map."""
    found = config.get(f"{NAMESPACE}:{name}")
    return found if isinstance(found, dict) else {}


def excluded(config: Mapping[str, Any], endpoint: str) -> bool:
    """Whether the stack leaves an endpoint out."""
    endpoints = group(config, "overrides").get("endpoints") or {}
    return bool((endpoints.get(endpoint) or {}).get("exclude"))


def promoted(written: Any) -> ModelOutput | None:
    """Return a promoted model in either of its two forms, a group or a reference. None if it is neither."""
    if isinstance(written, Mapping) and written.get("name") and written.get("version") is not None:
        registry = written.get("registry")
        return ModelOutput(name=str(written["name"]), version=str(written["version"]), registry=registry)
    choice = ModelChoice.read(written) if isinstance(written, str) else None
    return ModelOutput(name=choice.name, version=choice.version, registry=choice.registry) if choice else None
