"""What a real cluster is made of, as far as it needs no process."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from amlite.core.errors import StartError
from amlite.services.kubernetes import node, real


@pytest.mark.parametrize(("value", "wanted"), [(None, False), ("", False), ("off", False), ("real", True)])
def test_clusters_are_real_only_by_request(value: str | None, *, wanted: bool) -> None:
    assert real.is_wanted({} if value is None else {real.SWITCH: value}) is wanted


def test_unknown_value_of_the_switch_is_refused() -> None:
    with pytest.raises(StartError, match="AMLITE_KUBERNETES=yes is not known; set it to off or real"):
        real.is_wanted({real.SWITCH: "yes"})


def test_image_of_the_pods_namespaces_is_an_archive_that_containerd_reads() -> None:
    with tarfile.open(fileobj=io.BytesIO(node._pause_archive(b"program"))) as archive:
        (manifest,) = json.load(archive.extractfile("manifest.json") or io.BytesIO())
        configuration = json.load(archive.extractfile(manifest["Config"]) or io.BytesIO())
        layer = archive.extractfile(manifest["Layers"][0])
        assert layer is not None
        with tarfile.open(fileobj=io.BytesIO(layer.read())) as inner:
            assert [(each.name, each.mode) for each in inner.getmembers()] == [("pause", 0o755)]
    assert configuration["config"]["Entrypoint"] == ["/pause"]


def test_file_that_has_its_content_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "none.conflist"
    node._write(path, "{}", 0o600)
    before = path.stat().st_mtime_ns
    node._write(path, "{}")
    assert path.stat().st_mtime_ns == before
    assert path.stat().st_mode & 0o777 == 0o600
