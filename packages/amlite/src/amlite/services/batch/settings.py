"""Settings of deployments and invocations, read from their bodies, with the service's defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from amlite.core.errors import AzureError
from amlite.core.published import fields
from amlite.core.wire import Json
from amlite.services.jobs import plan

DEFAULTS: Mapping[str, Any] = {
    "errorThreshold": -1,
    "loggingLevel": "Info",
    "maxConcurrencyPerInstance": 1,
    "miniBatchSize": 10,
    "outputAction": "AppendRow",
    "outputFileName": "predictions.csv",
}
_RETRIES: Mapping[str, Any] = {"maxRetries": 3, "timeout": "PT30S"}
_LEAST = {"errorThreshold": -1, "maxConcurrencyPerInstance": 1, "miniBatchSize": 1}
_FILE_NAME = re.compile(r"(?!\.+$)[\w.-]{1,255}")
# The settings of a deployment that an invocation may override.
_OVERRIDES = ("errorThreshold", "miniBatchSize", "outputFileName", "retrySettings")


def completed(properties: Json) -> Json:
    """Return a model deployment's properties with the service's defaults. Raises AzureError 400."""
    found = {
        **DEFAULTS,
        **properties,
        "retrySettings": {**_RETRIES, **(properties.get("retrySettings") or {})},
        "resources": {"instanceCount": 1, **(properties.get("resources") or {})},
    }
    for name, least in _LEAST.items():
        if int(found[name]) < least:
            raise _refusal(f"properties.{name}: must be at least {least}, not {found[name]}.")
    if int(found["resources"]["instanceCount"]) < 1:
        raise _refusal("properties.resources.instanceCount: must be at least 1.")
    if int(found["retrySettings"]["maxRetries"]) < 0:
        raise _refusal("properties.retrySettings.maxRetries: must not be negative.")
    if plan.seconds(found["retrySettings"]["timeout"]) <= 0:
        raise _refusal("properties.retrySettings.timeout: must be more than 0 seconds.")
    if _FILE_NAME.fullmatch(str(found["outputFileName"])) is None:
        raise _refusal(
            f"properties.outputFileName: '{found['outputFileName']}' is not a valid file name; "
            "use letters, digits, '.', '_' and '-'."
        )
    return found


def overridden(deployment: Json, invocation: Json) -> Json:
    """Return a deployment's properties with the changes that an invocation makes for its job. Raises AzureError 400."""
    invocation = fields(invocation, {"compute": "map:any", "retrySettings": "map:any"}, _refusal)
    changed = {name: invocation[name] for name in _OVERRIDES if invocation.get(name) is not None}
    if retries := changed.get("retrySettings"):
        changed["retrySettings"] = {**deployment["retrySettings"], **_without_nulls(retries)}
    if count := (invocation.get("compute") or {}).get("instanceCount"):
        changed["resources"] = {**deployment["resources"], "instanceCount": count}
    try:
        return completed({**deployment, **changed})
    except (TypeError, ValueError) as error:
        raise _refusal(f"The invocation's settings are malformed: {error}.") from error


def kind(written: Any) -> str:
    """Return the type of an input or output in the spelling of jobs: `uri_folder` for an invocation's `UriFolder`."""
    spelt = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(written or "")).lower()
    return "mltable" if spelt == "ml_table" else spelt


def is_pipeline(deployment: Json) -> bool:
    """Return whether a deployment (its ARM envelope) deploys a pipeline component."""
    return bool(deployment["properties"].get("deploymentConfiguration"))


def _without_nulls(body: Json) -> Json:
    return {name: value for name, value in body.items() if value is not None}


def _refusal(message: str) -> AzureError:
    return AzureError(400, "BadArgument", message)
