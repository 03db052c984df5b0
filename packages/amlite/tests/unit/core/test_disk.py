"""A full or read-only disk is one message with the folder and the cure."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from amlite.core import disk, runtime


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "its disk is full; free space there"),
        (errno.EROFS, "it is read-only; make it writable"),
        (errno.EACCES, "you may not write there"),
        (errno.EDQUOT, "the disk quota is used up"),
    ],
)
def test_an_error_of_the_disk_names_the_folder_and_the_cure(number: int, said: str) -> None:
    outer = RuntimeError("a write failed")
    outer.__cause__ = OSError(number, os.strerror(number))
    assert str(disk.problem(Path("/state"), outer)).startswith(f"amlite cannot write to /state: {said}")


@pytest.mark.attack
def test_what_a_program_has_closed_to_its_user_is_deleted() -> None:
    """Root may open everything. Therefore, another user deletes it here if this is root."""
    with tempfile.TemporaryDirectory() as base:
        folder, kept = Path(base, "job"), Path(base, "kept")
        Path(base).chmod(0o777)
        if not (child := os.fork()):
            if os.geteuid() == 0:
                os.setuid(65534)
            (folder / "a" / "b").mkdir(parents=True)
            (folder / "a" / "b" / "file").touch()
            kept.mkdir(mode=0o500)
            (folder / "a" / "link").symlink_to(kept)
            (folder / "a" / "b").chmod(0)
            (folder / "a").chmod(0o400)
            disk.delete(folder)
            os._exit(2 * folder.exists() + (kept.stat().st_mode & 0o777 != 0o500))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_database_that_cannot_grow_is_a_full_disk(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "small.db")
    database.execute("pragma max_page_count = 2")
    with pytest.raises(sqlite3.OperationalError) as failed:
        database.execute("create table a as with recursive n(x) as (select 1 union all select x + 1 from n limit 9999)"
                         " select x from n")  # fmt: skip
    database.close()
    assert "its disk is full" in str(disk.problem(tmp_path, failed.value))


def test_another_error_is_none_of_the_disk() -> None:
    assert disk.problem(Path("/state"), OSError(errno.ECONNRESET, "reset")) is None


def test_a_folder_is_checked_before_a_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert disk.check(tmp_path / "new" / "state") is None
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=1024))
    assert str(disk.check(tmp_path)).startswith(f"amlite cannot write to {tmp_path}: its disk is full")
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    assert f"amlite cannot write to {tmp_path}: " in str(disk.check(tmp_path))


@pytest.mark.attack
def test_a_folder_of_another_user_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could say which variables `amlite run` sets, and which process `amlite stop` ends."""
    here = psutil.Process()
    environment = {"LD_PRELOAD": "/tmp/evil.so", runtime.VARIABLE: str(tmp_path)}
    runtime.write(tmp_path, runtime.Runtime(here.pid, here.create_time(), 1, environment))
    assert runtime.read(tmp_path) is not None
    uid = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert runtime.read(tmp_path) is None
    assert disk.check(tmp_path) == (
        f"amlite does not use {tmp_path}: it belongs to another user; set AMLITE_STATE to a folder that you make"
    )


@pytest.mark.attack
def test_a_cache_of_another_user_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has programs, such as Node, which would run as this user."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert runtime.foreign_cache() is None, "there is none yet"
    folder = tmp_path / "amlite"
    folder.mkdir()
    folder.chmod(0o777)
    assert runtime.foreign_cache() is None
    assert folder.stat().st_mode & 0o777 == 0o770, "it is closed to others"
    folder.chmod(0o777)
    owner = os.stat_result((0o40777, 0, 0, 0, os.geteuid() + 1, 0, 0, 0, 0, 0))
    monkeypatch.setattr(Path, "stat", lambda _path: owner)
    told = f"amlite does not use {folder}: it belongs to another user; set XDG_CACHE_HOME to a folder that you make"
    assert runtime.foreign_cache() == told
    root = os.stat_result((0o40755, 0, 0, 0, 0, 0, 0, 0, 0, 0))
    monkeypatch.setattr(Path, "stat", lambda _path: root)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert runtime.foreign_cache() is None, "root is trusted, as with the cache of an image"

    def closed(_path: Path) -> os.stat_result:
        raise PermissionError(errno.EACCES, "")

    monkeypatch.setattr(Path, "stat", closed)
    assert runtime.foreign_cache() == told


@pytest.mark.attack
def test_a_state_that_came_with_a_project_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can have jobs that are under way, which a start would run. git makes folders that all users can enter."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    state = tmp_path / ".amlite"
    state.mkdir()
    state.chmod(0o755)
    assert runtime.foreign(state) is None
    (state / "amlite.db").touch()
    assert f"Delete it, unless it is your own: chmod 700 {state}" in str(runtime.foreign(state))
    state.chmod(0o700)
    assert runtime.foreign(state) is None
    state.chmod(0o755)
    runtime.remember(state)
    assert runtime.foreign(state) is None, "a disk without permissions"
