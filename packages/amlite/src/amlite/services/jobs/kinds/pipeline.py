"""A pipeline, which as a pipeline's node is a component of other nodes."""

from __future__ import annotations

from amlite.core.wire import Json


def problems(properties: Json) -> list[str]:
    """Return whether there is nothing to run."""
    return [] if properties.get("jobs") else ["the pipeline has no nodes ('jobs' is empty)"]


def from_node(component: Json, spec: Json) -> Json:
    """Return the component's nodes."""
    return {"jobs": component.get("jobs") or {}, "settings": dict(spec.get("settings") or {})}
