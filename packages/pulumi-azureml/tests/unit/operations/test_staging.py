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
from pulumi_azureml.planning.tree import Tree, TreeReader

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


@pytest.fixture
def project(scratch: Path) -> Path:
    """A project with a file and a folder."""
    root = scratch / "project"
    (root / "src" / "lib").mkdir(parents=True)
    (root / "data.csv").write_text("a,b\n")
    (root / "src" / "lib" / "main.py").write_text("pass\n")
    return root


def planned(root: Path, path: str) -> tuple[dict[str, str], list[dict[str, object]]]:
    return {"path": path}, [{"keys": ["path"], "hash": TreeReader(root, StatCache(None)).read(path).hash}]


@pytest.mark.attack
@pytest.mark.parametrize(("path", "file"), [("data.csv", ""), ("src", "lib/main.py")])
def test_what_changes_after_its_plan_is_not_uploaded(project: Path, path: str, file: str) -> None:
    definition, trees = planned(project, path)
    with staged(definition, trees, "data.yml", project) as copied:
        there = Path(copied["path"])
        assert there.name == path
        (project / path / file).write_text("other")
        assert (there / file).read_text() in ("a,b\n", "pass\n")
    with pytest.raises(AssetError, match="changed after it was planned"), staged(definition, trees, "d", project):
        pass


@pytest.mark.attack
@pytest.mark.parametrize(("path", "file"), [("data.csv", "data.csv"), ("src", "src/lib/main.py")])
@pytest.mark.parametrize("gone", [False, True])
def test_what_changes_between_the_hash_and_the_copy_is_not_uploaded(
    project: Path, monkeypatch: pytest.MonkeyPatch, path: str, file: str, gone: bool
) -> None:
    definition, trees = planned(project, path)
    read = TreeReader.read

    def change(reader: TreeReader, wanted: str, *, without: str = "") -> Tree:
        found = read(reader, wanted, without=without)
        (project / file).write_text("other")
        if gone:
            (project / file).unlink()
        return found

    monkeypatch.setattr(TreeReader, "read", change)
    with pytest.raises(AssetError, match=r"changed after it was planned"), staged(definition, trees, "d", project):
        pass


@pytest.mark.attack
def test_a_large_file_is_compared_again_after_its_upload(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "_MOST_COPIED", 2)
    definition, trees = planned(project, "data.csv")
    with staged(definition, trees, "data.yml", project) as same:
        assert same == definition
    with (
        pytest.raises(AssetError, match="changed while it was uploaded"),
        staged(definition, trees, "d", project),
    ):
        (project / "data.csv").write_text("a,c\n")


def test_a_folder_that_azure_ai_ml_packs_keeps_the_name_of_the_zip_file(scratch: Path) -> None:
    project = scratch / "project"
    (project / "lib").mkdir(parents=True)
    (project / "lib" / "helper.py").write_text("pass\n")
    tree = TreeReader(project, StatCache(None)).read("lib")
    trees = [{"keys": ["additional_includes", 0], "hash": tree.hash}]
    with staged({"additional_includes": ["lib.zip"]}, trees, "c.yml", project) as definition:
        packed = Path(definition["additional_includes"][0])
        assert (packed.name, packed.exists()) == ("lib.zip", False)
        assert packed.with_suffix("").joinpath("helper.py").is_file()
