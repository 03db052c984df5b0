"""The disks of real clusters, without one: what of this machine is deleted with a volume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from amlite.core.platform import Platform
from amlite.services.kubernetes import disks, objects, volumes
from amlite.services.kubernetes.errors import KubernetesError
from amlite.services.kubernetes.kinds import CLAIM, NAMESPACE
from amlite.services.kubernetes.objects import Request
from amlite.services.kubernetes.storage import Key, Objects

pytestmark = pytest.mark.attack
CLUSTER = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/aks"
Json = dict[str, Any]


def volume(name: str, path: Path) -> Json:
    return {"metadata": {"name": name}, "spec": {"hostPath": {"path": str(path)}}, "status": {"phase": "Released"}}


async def test_a_volume_of_a_user_deletes_no_folder_of_this_machine(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user of the cluster may make a volume with any name, on any folder, and release it."""
    own, home = Objects(platform, CLUSTER).folder / "pvc-own", tmp_path / "home"
    for folder in (own, home):
        folder.mkdir(parents=True)
    volumes = [volume("pvc-own", own), volume("pvc-evil", home), volume("pvc-other", own.parent / "pvc-own")]
    asked: list[str] = []

    async def answer(_platform: Platform, _cluster: str, method: str, path: str, _body: Json | None = None) -> Any:
        asked.append(f"{method} {path}")
        return {"items": volumes if path.endswith("persistentvolumes") else []}

    monkeypatch.setattr(disks, "_ask", answer)
    await disks._provide(platform, CLUSTER)
    assert [each for each in asked if each.startswith("DELETE")] == ["DELETE /api/v1/persistentvolumes/pvc-own"]
    assert home.is_dir()
    assert not own.exists()


def claimed(there: Objects, name: str, namespace: str, **more: Any) -> Json:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **more.pop("spec", {})}
    body = {"metadata": {"name": name, "namespace": namespace}, "spec": spec, **more}
    return objects.create(there, Key(CLAIM, name, namespace), body, Request("kubectl"))


def test_a_claim_neither_gets_nor_deletes_the_disk_of_another_one(platform: Platform) -> None:
    there = Objects(platform, CLUSTER)
    objects.populate(platform, CLUSTER)
    objects.create(there, Key(NAMESPACE, "other"), {"metadata": {"name": "other"}}, Request("kubectl"))
    claimed(there, "data", "default")
    disk = volumes.folder(platform, CLUSTER, "default", "data")
    claimed(there, "evil", "other", spec={"volumeName": disk.name}, status={"phase": "Bound"})
    assert volumes.folder(platform, CLUSTER, "other", "evil") != disk
    claimed(there, "none", "other", spec={"volumeName": disk.name, "storageClassName": ""}, status={"phase": "Bound"})
    with pytest.raises(KubernetesError, match="not bound"):
        volumes.folder(platform, CLUSTER, "other", "none")
    for name in ("evil", "none"):
        objects.delete(there, Key(CLAIM, name, "other"), Request("kubectl"))
    assert disk.is_dir()


def test_a_status_of_a_client_is_none(platform: Platform) -> None:
    """Every later claim of the cluster would be answered with 500."""
    there = Objects(platform, CLUSTER)
    objects.populate(platform, CLUSTER)
    for number, status in enumerate(({}, {"phase": "Bound"}, {"phase": "Lost"})):
        assert claimed(there, f"claim-{number}", "default", status=status)["status"] == {"phase": "Pending"}
