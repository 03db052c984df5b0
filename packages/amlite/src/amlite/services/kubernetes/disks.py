"""Disks of real clusters: folders of this machine in place of the disk driver, which makes managed disks in Azure.

A background task makes a volume for each claim whose storage class makes managed disks, and deletes the volumes of
deleted claims.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from typing import Any

from aiohttp import ClientError

from amlite.core.errors import StartError
from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.containerservice import clusters
from amlite.services.containerservice.clusters import User
from amlite.services.kubernetes import real, volumes
from amlite.services.kubernetes.storage import Objects

_POLL_SECONDS = 0.5
_CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
_VOLUMES, _CLAIMS = "/api/v1/persistentvolumes", "/api/v1/persistentvolumeclaims"
_SELECTED_NODE = "volume.kubernetes.io/selected-node"
_log = logging.getLogger("amlite.services.kubernetes")


async def provide(platform: Platform, cluster: str) -> None:
    """Make and delete volumes as long as the cluster (its ARM id) exists."""
    while real.is_real(platform, cluster) and platform.store.get(cluster) is not None:
        try:
            await _provide(platform, cluster)
        except (ClientError, StartError, OSError) as error:
            _log.info("disks of %s: %s", cluster, error)
        await asyncio.sleep(_POLL_SECONDS)


async def add_classes(platform: Platform, cluster: str) -> None:
    """Give a new cluster the storage classes that every managed cluster has."""
    for name, sku in volumes.BUILT_IN.items():
        await _ask(platform, cluster, "POST", _CLASSES, volumes.built_in(name, sku))


async def _provide(platform: Platform, cluster: str) -> None:
    found = (await _ask(platform, cluster, "GET", _CLASSES))["items"]
    classes = {each["metadata"]["name"]: each for each in found if each["provisioner"] == volumes.DISKS}
    for claim in (await _ask(platform, cluster, "GET", _CLAIMS))["items"]:
        kind = classes.get(claim["spec"].get("storageClassName") or "")
        if kind is None or claim["status"].get("phase") != "Pending" or claim["spec"].get("volumeName"):
            continue
        waits = kind["volumeBindingMode"] == "WaitForFirstConsumer"
        if waits and _SELECTED_NODE not in (claim["metadata"].get("annotations") or {}):
            continue
        await _make(platform, cluster, claim, kind)
    for volume in (await _ask(platform, cluster, "GET", _VOLUMES))["items"]:
        # A volume that a user made may have any name, and any folder of this machine.
        place = Objects(platform, cluster).folder / volume["metadata"]["name"]
        ours = (volume["spec"].get("hostPath") or {}).get("path") == str(place)
        kept = (volume["metadata"].get("annotations") or {}).get("amlite/keep") == "true"
        if ours and not kept and volume["status"].get("phase") == "Released":
            await _ask(platform, cluster, "DELETE", f"{_VOLUMES}/{place.name}")
            shutil.rmtree(place, ignore_errors=True)


async def _make(platform: Platform, cluster: str, claim: Json, kind: Json) -> None:
    metadata, spec = claim["metadata"], claim["spec"]
    name = f"pvc-{metadata['uid']}"
    path = Objects(platform, cluster).folder / name
    path.mkdir(parents=True, exist_ok=True)
    owner = {"kind": claim.get("kind", "PersistentVolumeClaim"), "apiVersion": "v1", "uid": metadata["uid"]}
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": name,
            "annotations": {"amlite/keep": str(kind.get("reclaimPolicy") == "Retain").lower()},
        },
        "spec": {
            "accessModes": spec["accessModes"],
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "claimRef": {**owner, "namespace": metadata["namespace"], "name": metadata["name"]},
            "hostPath": {"path": str(path), "type": "Directory"},
            # The controller would delete a folder below /tmp only.
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": spec["storageClassName"],
            "volumeMode": spec.get("volumeMode", "Filesystem"),
        },
    }
    await _ask(platform, cluster, "POST", _VOLUMES, volume)


async def _ask(platform: Platform, cluster: str, method: str, path: str, body: Json | None = None) -> Any:
    port = await real.ensure(platform, cluster)
    headers = {"Authorization": f"Bearer {clusters.token(platform, cluster, User.ADMIN)}"}
    address = f"https://127.0.0.1:{port}{path}"
    async with platform.http.request(method, address, json=body, headers=headers, ssl=False) as answer:
        return await answer.json()
