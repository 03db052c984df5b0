"""The parameters of a pipeline run: those given, and the defaults."""

from __future__ import annotations

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.wire import Json


def pipeline_of(platform: Platform, factory_id: str, name: str) -> Json:
    """Return a pipeline of a factory. AzureError 404 if it does not exist."""
    document = platform.store.get(f"{factory_id}/pipelines/{name}")
    if document is None:
        raise AzureError(404, "PipelineNotFound", f"Pipeline '{name}' is not found.")
    return document.body


def complete(pipeline: Json, given: Json) -> Json:
    """Return a value for each parameter of a pipeline. AzureError 400 for a missing and for an unknown one."""
    declared = pipeline["properties"].get("parameters") or {}
    if unknown := sorted(given.keys() - declared.keys()):
        raise AzureError(400, "BadRequest", f"The pipeline '{pipeline['name']}' has no parameter '{unknown[0]}'.")
    found = {name: given.get(name, declaration.get("defaultValue")) for name, declaration in declared.items()}
    if missing := sorted(name for name, value in found.items() if value is None):
        raise AzureError(
            400, "BadRequest", f"The pipeline '{pipeline['name']}' needs a value for the parameter '{missing[0]}'."
        )
    return found
