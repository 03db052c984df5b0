"""Models in the inputs of pipelines, without a version: the version that the stack promotes to its endpoints.

A monitoring job needs the model that serves. Pipelines register that model, so no file defines it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi_azureml.planning.assets import AssetId, put
from pulumi_azureml.planning.drafts import Draft, Drafts, Use
from pulumi_azureml.planning.inputs import BINDING
from pulumi_azureml.planning.problems import listing
from pulumi_azureml.planning.references import parse
from pulumi_azureml.planning.settings import CatalogueSettings


def choose(draft: Draft, use: Use, name: str, drafts: Drafts, settings: CatalogueSettings) -> bool:
    """Put the promoted version of a model into a pipeline's input. Return whether this is such an input.

    Endpoints that are copies of others do not count. Without a promoted version, the input is left out if only
    optional inputs of steps take it. If they are not optional, this returns False.
    """
    if draft.id.kind != "pipeline_job" or use.kind != "model" or use.keys[0] != "inputs":
        return False
    endpoints = settings.overrides.endpoints
    copies = {endpoint for endpoint, each in endpoints.items() if each.copy_of}
    versions = {
        each.reference for endpoint, each in settings.models.items() if each.name == name and endpoint not in copies
    }
    if len(versions) > 1:
        message = f"the endpoints serve several versions of model '{name}': {listing(versions)}"
        draft.problem(use.keys, message, "write the version that the pipeline takes")
    elif versions:
        put(draft.definition, use.keys, versions.pop())
    else:
        return _leave_out(draft, str(use.keys[1]), drafts)
    return True


def order(draft: Draft, drafts: Drafts, settings: CatalogueSettings) -> None:
    """Order a schedule after the endpoints whose model its pipeline takes, so that it keeps a model that works."""
    pipeline = draft.targets.get(("create_job", "job")) or draft.targets.get(("create_job",))
    if pipeline is None or pipeline not in drafts:
        return
    models = (parse(use.text, folder="") for use in drafts[pipeline].uses if use.kind == "model")
    taken = {each.name for each in models if each is not None}
    for endpoint, model in settings.models.items():
        id_ = AssetId("online_endpoint", endpoint)
        if model.name in taken and id_ in drafts:
            draft.needs.append(id_)


def _leave_out(draft: Draft, name: str, drafts: Drafts) -> bool:
    """Remove an input and what binds it. Return whether that was possible."""
    bound: list[tuple[str, str]] = []
    for step, each in _mapping(draft.definition.get("jobs")).items():
        for port, value in _mapping(_mapping(each).get("inputs")).items():
            text = value.get("path") if isinstance(value, dict) else value
            if isinstance(text, str) and f"inputs.{name}" in BINDING.findall(text):
                bound.append((step, port))
    if not all(_is_optional(draft, step, port, drafts) for step, port in bound):
        return False
    for step, port in bound:
        del draft.definition["jobs"][step]["inputs"][port]
    del draft.definition["inputs"][name]
    return True


def _is_optional(draft: Draft, step: str, port: str, drafts: Drafts) -> bool:
    component = draft.targets.get(("jobs", step, "component"))
    declared = drafts[component].definition.get("inputs") if component is not None else None
    return bool(_mapping(_mapping(declared).get(port)).get("optional"))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
