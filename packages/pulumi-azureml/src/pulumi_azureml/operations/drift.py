"""What somebody changed by hand on a deployment, in the words of its YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi_azureml.operations.autoscale import TAG

# What Azure lets change on a running deployment. An instance type is not among them.
_CHANGEABLE = (
    "instance_count",
    "scale_settings",
    "environment_variables",
    "request_settings",
    "liveness_probe",
    "readiness_probe",
    "app_insights_enabled",
)


def drift(existing: Any, definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a deployment's definition that Azure has other values for, with those values.

    Only what the definition says is compared: Azure fills in the rest, and adds environment variables of its own. The
    instance count of a deployment that scales by itself is no drift.

    Args:
        existing: azure-ai-ml's entity of the deployment.
        definition: its CLI v2 YAML.
    """
    scales = TAG in (existing.tags or {})
    found = {}
    for key in _CHANGEABLE:
        if definition.get(key) is None or (key == "instance_count" and scales):
            continue
        there = _in_form_of(definition[key], getattr(existing, key, None))
        if there != definition[key]:
            found[key] = there
    return found


def _in_form_of(wanted: Any, there: Any) -> Any:
    """Return what is there in the form of what is wanted: the same keys, the same types.

    An entity that does not know a key says nothing about it, so that the wanted value cannot differ.
    """
    if isinstance(wanted, Mapping):
        if there is None:
            return {}
        if isinstance(there, Mapping):
            return {key: _in_form_of(value, there[key]) for key, value in wanted.items() if key in there}
        return {key: _in_form_of(value, getattr(there, key, value)) for key, value in wanted.items()}
    if isinstance(there, str) and str(wanted) == there:
        # Azure keeps the values of environment variables as text.
        return wanted
    return there
