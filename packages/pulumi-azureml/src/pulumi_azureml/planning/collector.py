"""A deployment's `data_collector`: what azure-ai-ml would accept and then ignore, or fail on during the update."""

from __future__ import annotations

import re
from typing import Any

from pulumi_azureml.planning.documents import KeyPath
from pulumi_azureml.planning.drafts import Draft

PAYLOAD = ("request", "response")
_MOST_CUSTOM = 5
_KEY = "data_collector"
_PATH = re.compile(
    r"azureml://(subscriptions/[^/]+/resourcegroups/[^/]+/(providers/[^/]+/)?workspaces/[^/]+/)?datastores/[^/]+/paths/.+",
    re.IGNORECASE,
)


def of_copy(data: dict[str, Any], original: str, copy: str) -> dict[str, Any]:
    """Return a deployment's document for a copy of its endpoint, which collects under its own name and folder.

    The name of the endpoint in the names and folders of collected data becomes the copy's. Where it is missing, the
    copy's name comes first.
    """
    settings = data.get(_KEY)
    collections = settings.get("collections") if isinstance(settings, dict) else None
    if not isinstance(settings, dict) or not isinstance(collections, dict):
        return data
    own = {name: _own(collection, original, copy) for name, collection in collections.items()}
    return {**data, _KEY: {**settings, "collections": own}}


def _own(collection: Any, original: str, copy: str) -> Any:
    place = collection.get("data") if isinstance(collection, dict) else None
    if not isinstance(place, dict):
        return collection
    own = dict(place)
    name, path = place.get("name"), place.get("path")
    if isinstance(name, str) and name:
        own["name"] = f"{copy}{name.removeprefix(original)}" if _begins(name, original) else f"{copy}-{name}"
    if isinstance(path, str) and _PATH.fullmatch(path):
        store, sign, folder = path.partition("/paths/")
        parts = folder.split("/")
        parts = [copy if part == original else part for part in parts] if original in parts else [copy, *parts]
        own["path"] = f"{store}{sign}{'/'.join(parts)}"
    return {**collection, "data": own}


def _begins(name: str, original: str) -> bool:
    return name == original or name.startswith((f"{original}-", f"{original}_"))


def check_collector(draft: Draft) -> None:
    """Report settings of the data collector that Azure refuses, or that would have no effect."""
    settings = draft.definition.get(_KEY)
    if not isinstance(settings, dict):
        return
    collections = settings.get("collections")
    if not collections:
        fix = "add `collections:`, such as `model_inputs: {enabled: 'true'}`, or remove `data_collector`"
        draft.problem((_KEY,), "'data_collector' has no collections", fix)
    rate = settings.get("sampling_rate")
    if isinstance(rate, int | float) and not isinstance(rate, bool) and not 0 <= rate <= 1:
        fix = "use a number from 0.0 (nothing) to 1.0 (everything)"
        draft.problem((_KEY, "sampling_rate"), f"sampling_rate is {rate}", fix)
    if isinstance(collections, dict):
        _check_collections(draft, collections)


def _check_collections(draft: Draft, collections: dict[str, Any]) -> None:
    custom = [str(name) for name in collections if str(name).lower() not in PAYLOAD]
    if len(custom) > _MOST_CUSTOM:
        fix = f"keep {_MOST_CUSTOM} besides `request` and `response`"
        draft.problem((_KEY, "collections"), f"{len(custom)} collections of the scoring script", fix)
    taken: dict[tuple[str, str], str] = {}
    for name, collection in collections.items():
        data = collection.get("data") if isinstance(collection, dict) else None
        keys: KeyPath = (_KEY, "collections", str(name), "data")
        if isinstance(data, str):
            fix = "write `data: {name: NAME, path: azureml://datastores/NAME/paths/..., version: '1'}`"
            draft.problem(keys, f"azure-ai-ml cannot use '{data}' as the place of collected data", fix)
        elif isinstance(data, dict):
            _check_place(draft, keys, data)
            asset = (str(data.get("name")), str(data.get("version", "1")))
            if asset in taken:
                fix = "give each collection a data asset of its own"
                draft.problem(keys, f"data asset '{asset[0]}' also belongs to collection '{taken[asset]}'", fix)
            taken[asset] = str(name)


def _check_place(draft: Draft, keys: KeyPath, data: dict[str, Any]) -> None:
    if "data_id" in data:
        fix = "remove it, and name the asset with `name`, `path` and `version`"
        draft.problem((*keys, "data_id"), "azure-ai-ml ignores 'data_id'", fix)
    for key in ("name", "path"):
        if not data.get(key):
            # A new deployment would take the asset of the old one, or leave its folder.
            draft.problem(keys, f"'data' has no '{key}'", f"add `{key}:`, or remove `data` to use Azure's default")
    path = data.get("path")
    if isinstance(path, str) and path and not _PATH.fullmatch(path):
        fix = "use `azureml://datastores/NAME/paths/FOLDER`"
        draft.problem((*keys, "path"), f"'{path}' is not a folder of a datastore", fix)
