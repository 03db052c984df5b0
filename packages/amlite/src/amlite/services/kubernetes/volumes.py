"""Disks: a folder of this machine for each claim whose storage class makes managed disks.

Sources: "Persistent Volumes" of Kubernetes' documentation, and "Storage options for applications in AKS". The size of a
disk is not a limit here.
"""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.kubernetes.errors import KubernetesError, not_found
from amlite.services.kubernetes.kinds import CLAIM, STORAGE_CLASS, VOLUME, amount, requested
from amlite.services.kubernetes.storage import Key, Objects

DISKS = "disk.csi.azure.com"
BUILT_IN = {
    "default": "StandardSSD_LRS",
    "managed": "StandardSSD_LRS",
    "managed-csi": "StandardSSD_LRS",
    "managed-csi-premium": "Premium_LRS",
    "managed-premium": "Premium_LRS",
}
"""The storage classes for disks that every managed cluster has, and the type of their disks."""

_SKUS = (
    *("premium_lrs", "premium_zrs", "premiumv2_lrs", "standard_lrs", "standardssd_lrs", "standardssd_zrs"),
    "ultrassd_lrs",
)
_DEFAULT = "storageclass.kubernetes.io/is-default-class"


def built_in(name: str, sku: str) -> Json:
    """Return a storage class of a managed cluster. A pod decides where its disk is made."""
    annotations = {"annotations": {_DEFAULT: "true"}} if name == "default" else {}
    return {
        "apiVersion": STORAGE_CLASS.api_version,
        "kind": STORAGE_CLASS.name,
        "metadata": {"name": name, **annotations},
        "provisioner": DISKS,
        "parameters": {"skuname": sku},
        "reclaimPolicy": "Delete",
        "allowVolumeExpansion": True,
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def with_default_class(objects: Objects, claim: Json) -> Json:
    """Return a new claim with the default storage class, unless it names one."""
    spec = claim.get("spec") or {}
    default = next(
        (
            each["metadata"]["name"]
            for each in objects.list(STORAGE_CLASS)
            if (each["metadata"].get("annotations") or {}).get(_DEFAULT) == "true"
        ),
        None,
    )
    return claim if "storageClassName" in spec else {**claim, "spec": {**spec, "storageClassName": default}}


def check_growth(objects: Objects, old: Json, new: Json) -> None:
    """Raise the API server's 403 for a larger claim whose storage class does not allow it."""
    before, wanted = requested(old), requested(new)
    if before is None or wanted is None or amount(wanted) <= amount(before):
        return
    found = objects.get(Key(STORAGE_CLASS, new["spec"].get("storageClassName") or ""))
    if not (found or {}).get("allowVolumeExpansion"):
        name = new["metadata"]["name"]
        raise KubernetesError(
            403,
            "Forbidden",
            f'persistentvolumeclaims "{name}" is forbidden: only dynamically provisioned pvc can be resized and the '
            "storageclass that provisions the pvc must support resize",
        )


def bind_pending(objects: Objects) -> None:
    """Make disks for the claims whose storage class does not wait for a pod, and let bound ones grow."""
    for claim in objects.list(CLAIM):
        if claim["status"]["phase"] == "Bound":
            _grow(objects, claim)
        elif _class_of(objects, claim, "Immediate") is not None:
            _bind(objects, claim)


def folder(platform: Platform, cluster: str, namespace: str, name: str) -> Path:
    """Return the folder of a claim in a cluster (its ARM id), as for the first pod that mounts it.

    KubernetesError 404 if there is no such claim, and 409 if it stays without a disk.
    """
    objects = Objects(platform, cluster)
    claim = objects.get(Key(CLAIM, name, namespace))
    if claim is None:
        raise not_found(CLAIM.resource, name)
    if claim["status"]["phase"] != "Bound" and _class_of(objects, claim, None) is not None:
        claim = _bind(objects, claim)
    volume = _volume_of(objects, claim)
    if volume is None:
        raise KubernetesError(
            409,
            "Conflict",
            f'persistentvolumeclaims "{name}" is not bound: its storage class '
            f"'{claim['spec'].get('storageClassName')}' does not exist, or makes no disks",
        )
    return Path(volume["spec"]["hostPath"]["path"])


def release(objects: Objects, claim: Json) -> None:
    """Delete the disk of a deleted claim, or keep it, as its storage class says."""
    volume = _volume_of(objects, claim)
    if volume is None:
        return
    key = Key(VOLUME, volume["metadata"]["name"])
    if volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain":
        objects.put(key, {**volume, "status": {"phase": "Released"}})
        return
    shutil.rmtree(volume["spec"]["hostPath"]["path"], ignore_errors=True)
    objects.remove(key)


def _volume_of(objects: Objects, claim: Json) -> Json | None:
    """Return the volume of a claim, or None. A claim may name one that was made for another."""
    volume = objects.get(Key(VOLUME, claim["spec"].get("volumeName") or ""))
    own = volume is not None and volume["spec"]["claimRef"]["uid"] == claim["metadata"]["uid"]
    return volume if own else None


def _class_of(objects: Objects, claim: Json, mode: str | None) -> Json | None:
    """Return the storage class of a claim if it makes disks, with a binding mode (None: any)."""
    found = objects.get(Key(STORAGE_CLASS, claim["spec"].get("storageClassName") or ""))
    if found is None or found["provisioner"] != DISKS or mode not in (None, found["volumeBindingMode"]):
        return None
    parameters = {name.lower(): value for name, value in (found.get("parameters") or {}).items()}
    sku = parameters.get("skuname") or parameters.get("storageaccounttype") or "StandardSSD_LRS"
    return found if sku.lower() in _SKUS else None


def _bind(objects: Objects, claim: Json) -> Json:
    found = _class_of(objects, claim, None) or {}
    metadata, spec = claim["metadata"], claim["spec"]
    name = f"pvc-{metadata['uid']}"
    path = objects.folder / name
    path.mkdir(parents=True, exist_ok=True)
    capacity = {"storage": requested(claim)}
    owner = {"kind": CLAIM.name, "apiVersion": "v1", "namespace": metadata["namespace"], "name": metadata["name"]}
    volume = {
        "kind": VOLUME.name,
        "apiVersion": VOLUME.api_version,
        "metadata": {"name": name, "uid": str(uuid.uuid4()), "creationTimestamp": objects.now()},
        "spec": {
            "accessModes": spec["accessModes"],
            "capacity": capacity,
            "claimRef": {**owner, "uid": metadata["uid"]},
            # A managed disk has `csi` here.
            "hostPath": {"path": str(path), "type": "Directory"},
            "persistentVolumeReclaimPolicy": found["reclaimPolicy"],
            "storageClassName": spec["storageClassName"],
            "volumeMode": spec["volumeMode"],
        },
        "status": {"phase": "Bound"},
    }
    objects.put(Key(VOLUME, name), volume, {})
    bound = {
        **claim,
        "spec": {**spec, "volumeName": name},
        "status": {"phase": "Bound", "accessModes": spec["accessModes"], "capacity": capacity},
    }
    return objects.put(Key(CLAIM, metadata["name"], metadata["namespace"]), bound)


def _grow(objects: Objects, claim: Json) -> None:
    size = requested(claim)
    if size is None or amount(size) <= amount(claim["status"]["capacity"]["storage"]):
        return
    key = Key(VOLUME, claim["spec"]["volumeName"])
    volume = objects.get(key)
    if volume is not None:
        objects.put(key, {**volume, "spec": {**volume["spec"], "capacity": {"storage": size}}})
    status = {**claim["status"], "capacity": {"storage": size}}
    metadata = claim["metadata"]
    objects.put(Key(CLAIM, metadata["name"], metadata["namespace"]), {**claim, "status": status})
