"""The system registry `azureml` and its curated environments, which every workspace can use.

Their names are those of the repository Azure/azureml-assets. Azure counts their versions up with every rebuild, so
amlite takes any version number. Its newest one is the number of changes to the environment in that repository. The
workspace has each under the name `AzureML-<name>` too.
"""

from __future__ import annotations

import difflib
from pathlib import Path

from amlite import SYSTEM_SUBSCRIPTION_ID
from amlite.core import wire
from amlite.core.platform import Platform
from amlite.core.store import Document, Store

REGISTRY = "azureml"
PREFIX = "AzureML-"
_PROVIDER = "Microsoft.MachineLearningServices"
_ID = f"/subscriptions/{SYSTEM_SUBSCRIPTION_ID}/resourceGroups/azureml/providers/{_PROVIDER}/registries/{REGISTRY}"
_ENVIRONMENTS = f"azureml://registries/{REGISTRY}/environments"
_TYPE = f"{_PROVIDER}/registries/environments"
_LOCATION = "westeurope"
_MOST_VERSIONS = 9999
_DEFAULT_VERSION = 1
_ALIKE = 0.5

VERSIONS = {
    "acpt-pytorch-2.2-cuda12.1": 35,
    "acpt-pytorch-2.8-cuda12.6": 23,
    "lightgbm-3.3": 32,
    "responsibleai-tabular": 28,
    "sklearn-1.5": 18,
    "tensorflow-2.16-cuda12": 30,
}
"""The newest version of the environments that amlite knows one of."""

ENVIRONMENTS = frozenset(Path(__file__).with_name("curated_environments.txt").read_text("utf-8").split())


async def provide(platform: Platform) -> None:
    """Store the registry and its environments, unless they are there."""
    store, now = platform.store, platform.clock.stamp()
    if store.get(_ID) is not None:
        return
    system = wire.created("Microsoft", now)
    region = {"location": _LOCATION, "storageAccountDetails": [], "acrDetails": []}
    registry = wire.envelope(_ID, f"{_PROVIDER}/registries", {"regionDetails": [region]}, system)
    store.put(_ID, registry["type"], {**registry, "location": _LOCATION, "tags": {}})
    for name in sorted(ENVIRONMENTS):
        container = f"{_ENVIRONMENTS}/{name}"
        described = {"tags": {}, "properties": {}, "isArchived": False}
        store.put(container, _TYPE, wire.envelope(container, _TYPE, described, system))
        _put(store, name, _newest(name), now)


def is_system(registry: Document) -> bool:
    """Return whether a registry is Microsoft's, which everybody may read."""
    return registry.id.lower() == _ID.lower()


def version(platform: Platform, base: str, number: str) -> Document | None:
    """Return a version of a curated environment, or None if `base` is not one. `base` is the id of its name."""
    owner, _, name = base.rpartition("/")
    if owner.lower() != _ENVIRONMENTS.lower() or name not in ENVIRONMENTS or not number.isdigit():
        return None
    if not 0 < int(number) <= _MOST_VERSIONS:
        return None
    return platform.store.get(f"{base}/versions/{number}") or _put(
        platform.store, name, int(number), platform.clock.stamp()
    )


def in_registry(name: str) -> str | None:
    """Return the registry's name of an environment that a workspace has as `AzureML-<name>`, or None."""
    bare = _bare(name)
    return None if bare == name else next((known for known in ENVIRONMENTS if known.lower() == bare.lower()), None)


def advice(name: str) -> str:
    """Return a sentence for a message that the registry has no such environment, or no such version of it."""
    bare = _bare(name)
    if bare in ENVIRONMENTS:
        return f" Its versions are numbers. The newest one that amlite knows is {_newest(bare)}."
    near = sorted(difflib.get_close_matches(bare, ENVIRONMENTS, cutoff=_ALIKE))
    return f" Registry '{REGISTRY}' has {', '.join(near)}." if near else ""


def _bare(name: str) -> str:
    return name[len(PREFIX) :] if name.lower().startswith(PREFIX.lower()) else name


def _newest(name: str) -> int:
    return VERSIONS.get(name, _DEFAULT_VERSION)


def _put(store: Store, name: str, number: int, now: str) -> Document:
    path = f"{_ENVIRONMENTS}/{name}/versions/{number}"
    properties = {
        "image": f"mcr.microsoft.com/azureml/curated/{name}:{number}",
        "environmentType": "Curated",
        "osType": "Linux",
        "tags": {},
        "properties": {},
        "isAnonymous": False,
        # Only the newest version is listed and is the latest one, in whatever order others were asked for.
        "isArchived": number != _newest(name),
        "provisioningState": "Succeeded",
    }
    return store.put(
        path, f"{_TYPE}/versions", wire.envelope(path, f"{_TYPE}/versions", properties, wire.created("Microsoft", now))
    )
