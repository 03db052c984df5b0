"""Manual changes to a deployment, expressed as keys of its YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi_azureml.operations import collector
from pulumi_azureml.operations.autoscale import TAG

# The keys that Azure can change on a running deployment. The instance type is not one of them.
_CHANGEABLE = (
    "instance_count",
    "scale_settings",
    "environment_variables",
    "request_settings",
    "liveness_probe",
    "readiness_probe",
    "app_insights_enabled",
    collector.KEY,
)


def drift(existing: Any, definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a deployment's definition whose values differ in Azure, with Azure's values.

    Only keys in the definition are compared: Azure fills in the rest and adds its own environment variables. The
    instance count of a deployment with autoscale does not count as drift.

    Args:
        existing: azure-ai-ml's entity of the deployment.
        definition: its CLI v2 YAML.
    """
    scales = TAG in (existing.tags or {})
    found = {}
    for key in _CHANGEABLE:
        if definition.get(key) is None or (key == "instance_count" and scales):
            continue
        in_form_of = collector.observed if key == collector.KEY else _in_form_of
        there = in_form_of(getattr(existing, key, None), definition[key])
        if there != definition[key]:
            found[key] = there
    return found


def _in_form_of(there: Any, wanted: Any) -> Any:
    """Return the existing values in the form of the wanted ones: the same keys and types.

    If the entity lacks a key, the wanted value counts as equal.
    """
    if isinstance(wanted, Mapping):
        if there is None:
            return {}
        if isinstance(there, Mapping):
            return {key: _in_form_of(there[key], value) for key, value in wanted.items() if key in there}
        return {key: _in_form_of(getattr(there, key, value), value) for key, value in wanted.items()}
    if isinstance(there, str) and str(wanted) == there:
        # Azure stores environment variables as text.
        return wanted
    return there
