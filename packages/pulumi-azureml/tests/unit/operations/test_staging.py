"""The copies that are uploaded, and what is left of them when a process is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pulumi_azureml.operations import staging
from pulumi_azureml.operations.errors import AssetError
from pulumi_azureml.operations.staging import staged
from pulumi_azureml.planning.stat_cache import StatCache
from pulumi_azureml.planning.tree import TreeReader

LONG_AGO = 1_700_000_000


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left(scratch: Path, name: str, *, old: bool = True) -> Path:
    folder = scratch / name
    (folder / "0").mkdir(parents=True)
    (folder / "0" / "main.py").write_text("pass")
    if old:
        os.utime(folder, (LONG_AGO, LONG_AGO))
    return folder


def test_what_a_killed_process_left_a_day_ago_is_removed_and_nothing_else(scratch: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    gone = left(scratch, f"pulumi-azureml-upload-{ended.pid}-abc")
    kept = [
        left(scratch, f"pulumi-azureml-upload-{ended.pid}-new", old=False),
        left(scratch, f"pulumi-azureml-upload-{os.getpid()}-abc"),  # still runs
        left(scratch, f"azureml-platform-bench-{ended.pid}-abc"),
        left(scratch, "pulumi-azureml-upload-mine-abc"),
    ]
    staging._clear_leftovers(scratch)
    assert not gone.exists()
    assert all(each.exists() for each in kept)


def test_a_copy_is_named_after_its_process_and_goes_with_its_use(scratch: Path) -> None:
    with staged({"image": "x"}, [], "environment.yml") as definition:
        assert definition == {"image": "x"}
        (there,) = scratch.iterdir()
        assert there.name.startswith(f"pulumi-azureml-upload-{os.getpid()}-")
    assert list(scratch.iterdir()) == []


@pytest.mark.attack
def test_a_file_is_uploaded_from_its_place_if_it_has_the_planned_content(scratch: Path, tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    file = root / "data.csv"
    file.write_text("a,b\n")
    definition = {"path": "data.csv"}
    trees = [{"keys": ["path"], "hash": TreeReader(root, StatCache(None)).read("data.csv").hash}]
    with staged(definition, trees, "data.yml", root) as same:
        assert same == definition
    file.write_text("a,c\n")
    with (
        pytest.raises(AssetError, match=r"data\.csv changed after it was planned"),
        staged(definition, trees, "d", root),
    ):
        pass
