"""The disks of real clusters, without one: what of this machine is deleted with a volume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from amlite.core.platform import Platform
from amlite.services.kubernetes import disks
from amlite.services.kubernetes.storage import Objects

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
