"""A deployment's data collector in Azure: reading it back, writing it again, and the data assets behind it."""

from __future__ import annotations

import copy
import functools
import logging
from collections.abc import Mapping
from typing import Any

from pulumi_azureml.operations.connection import Workspace, connect
from pulumi_azureml.operations.kind import Props, found

KEY = "data_collector"
_log = logging.getLogger(__name__)


def renewed(collector: Any) -> Any:
    """Return a data collector that azure-ai-ml can write, from one that it has read or written.

    azure-ai-ml fails on both: it expects a data asset where it put an id, and sending removes the sampling rate.
    """
    from azure.ai.ml.entities import DataAsset

    if collector is None:
        return None
    result = copy.deepcopy(collector)
    for each in result.collections.values():
        if isinstance(each.data, str):
            *_, name, _, version = each.data.split("/")
            each.data = DataAsset(name=name, version=version)  # type: ignore[arg-type]
    return result


def observed(collector: Any, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return Azure's data collector in the form of the YAML: `wanted` itself if nothing differs."""
    seen = _essence_of_entity(collector, wanted)
    return wanted if seen == _essence(wanted) else seen


def _essence(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Reduce the YAML to what it decides, with Azure's defaults."""
    rate = wanted.get("sampling_rate")
    headers = (wanted.get("request_logging") or {}).get("capture_headers") or []
    collections = {}
    for name, each in (wanted.get("collections") or {}).items():
        data = each.get("data")
        asset = {"data": {"name": data["name"], "version": str(data.get("version", "1"))}} if data else {}
        collections[name] = {"enabled": str(each["enabled"]).lower(), **asset}
    return {
        "collections": collections,
        "rolling_rate": str(wanted.get("rolling_rate") or "hour").lower(),
        "sampling_rate": 1.0 if rate is None else float(rate),
        "request_logging": {"capture_headers": list(headers)},
    }


def _essence_of_entity(collector: Any, wanted: Mapping[str, Any]) -> dict[str, Any]:
    if collector is None:
        return _essence({"collections": {}})
    named = {name for name, each in (wanted.get("collections") or {}).items() if each.get("data")}
    collections = {}
    for name, each in collector.collections.items():
        given: dict[str, Any] = {"enabled": each.enabled}
        if name in named and isinstance(each.data, str):
            *_, asset, _, version = each.data.split("/")
            given["data"] = {"name": asset, "version": version}
        collections[name] = given
    rolling, requests = collector.rolling_rate, collector.request_logging
    return _essence(
        {
            "collections": collections,
            "rolling_rate": getattr(rolling, "value", rolling),  # azure-ai-ml returns an enumeration
            "sampling_rate": collector.sampling_rate,
            "request_logging": {"capture_headers": requests.capture_headers if requests else []},
        }
    )


def refusal(props: Props) -> str | None:
    """Say which data asset of the wanted deployment exists with another path: azure-ai-ml would collect there.

    None if there is no such asset. If Azure does not answer, a warning is logged instead.
    """
    from pulumi_azureml.operations.sdk import AzureError

    place = Workspace.of(props)
    collections = (props["deployment"]["definition"].get(KEY) or {}).get("collections") or {}
    named = {name: each["data"] for name, each in collections.items() if each.get("data")}
    if not named or None in (place.subscription_id, place.resource_group, place.name):
        return None
    for name, data in named.items():
        asset, version = str(data["name"]), str(data.get("version", "1"))
        try:
            there = found(functools.partial(connect(place).data.get, asset, version))
        except AzureError as error:
            _log.warning("data asset '%s' could not be looked up: %s", asset, error.message)
            continue
        if there is not None and _place(there.path) != _place(data["path"]):
            return (
                f"collection '{name}': data asset '{asset}' version {version} exists with the path "
                f"'{_place(there.path)}', and Azure would collect there. Raise its `version`, or restore the path"
            )
    return None


def _place(path: str) -> str:
    """Return a path from its datastore on: Azure adds the workspace."""
    before, mark, after = path.rpartition("datastores/")
    return f"{mark}{after}".rstrip("/") if before else path.rstrip("/")
