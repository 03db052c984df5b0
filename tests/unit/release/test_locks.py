"""The locks of a stack: those of others, of engines that were killed, and of a full disk."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from pulumi import automation

from release.errors import ReleaseError
from release.stack import PulumiStack
from tests.unit.release.stacks import FakeStack


def test_an_update_while_another_one_runs_is_one_message_with_its_owner(fake: FakeStack) -> None:
    fake.error = automation.ConcurrentUpdateError
    fake.fails = (
        "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the "
        "lock file with `pulumi cancel`.\n  file:///locks/1.json: created by ci@runner (pid 42) at 2026-11-28T09:00:00Z"
    )
    with pytest.raises(ReleaseError) as refused:
        PulumiStack("local").up(lambda _: None)
    assert refused.value.message == (
        "stack 'local' is being updated by another process (by ci@runner (pid 42) at 2026-11-28T09:00:00Z). "
        "Nothing was changed\n  fix: wait until it has ended, and run this command again. If it was killed on its "
        "machine: pulumi cancel -s local"
    )


@pytest.mark.parametrize("runs", [False, True])
def test_the_lock_of_a_killed_engine_of_this_machine_is_taken_over(
    runs: bool, fake: FakeStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, own = (tmp_path / ".pulumi" / "locks" / name for name in ("1.json", "2.json"))
    attributes = lock.with_name("1.json.attrs")  # the backend keeps it beside each file
    lock.parent.mkdir(parents=True)
    fake.workspace.who_am_i = lambda: SimpleNamespace(url=f"file://{tmp_path}?no_tmp_dir=true")
    for each in (lock, own, attributes):
        each.write_text("{}")
    fake.error = automation.ConcurrentUpdateError
    fake.fails = (
        "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the "
        f"lock file with `pulumi cancel`.\n  file://{lock}: created by ci@{socket.gethostname()} (pid 42) at 2026-11-28"
    )

    def process(pid: int) -> SimpleNamespace:
        assert pid == 42
        if not runs:
            raise psutil.NoSuchProcess(pid)
        return SimpleNamespace(status=lambda: psutil.STATUS_SLEEPING, name=lambda: "pulumi")

    unlink = Path.unlink

    def unlocked(path: Path, missing_ok: bool) -> None:
        unlink(path, missing_ok)
        fake.fails = ""

    monkeypatch.setattr(psutil, "Process", process)
    monkeypatch.setattr(Path, "unlink", unlocked)
    told: list[str] = []
    if runs:
        with pytest.raises(ReleaseError, match=r"is being updated by another process .*\(pid 42\)"):
            PulumiStack("local").up(told.append)
        assert told == []
        return
    PulumiStack("local").up(lambda event: told.append(event.diagnostic_event.message))
    assert list(lock.parent.iterdir()) == [own]
    assert told == [
        f"an engine was killed and left its lock, which is removed: ci@{socket.gethostname()} (pid 42) at 2026-11-28"
    ]


@pytest.mark.attack
@pytest.mark.parametrize("backend", ["azblob://state", "file://{folder}/backend"])
@pytest.mark.parametrize("path", ["mine.txt", "backend/.pulumi/locks/../../../mine.txt", "backend/.pulumi/locks/link"])
def test_a_lock_names_no_other_file(
    path: str, backend: str, fake: FakeStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name of a user in a lock can have lines, of which one looks like another lock."""
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    locks = tmp_path / "backend" / ".pulumi" / "locks"
    locks.mkdir(parents=True)
    (locks / "link").symlink_to(mine)
    fake.workspace.who_am_i = lambda: SimpleNamespace(url=backend.format(folder=tmp_path))
    fake.error = automation.ConcurrentUpdateError
    fake.fails = (
        "error: the stack is currently locked by 1 lock(s).\n  azblob://state/.pulumi/locks/1.json: created by me\n"
        f"  file://{tmp_path}/{path}: created by me@{socket.gethostname()} (pid 42) at 2026-11-28"
    )

    def process(pid: int) -> SimpleNamespace:
        raise psutil.NoSuchProcess(pid)

    monkeypatch.setattr(psutil, "Process", process)
    PulumiStack("local").up(lambda _: None)
    assert (mine.read_text(), fake.cancelled) == ("mine", 1)


def test_the_locks_of_another_backend_are_removed_by_pulumi(fake: FakeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.error = automation.ConcurrentUpdateError
    fake.fails = (
        "error: the stack is currently locked by 1 lock(s).\n  azblob://state/.pulumi/locks/1.json: created by "
        f"ci@{socket.gethostname()} (pid 42) at 2026-11-28"
    )

    def process(pid: int) -> SimpleNamespace:
        return SimpleNamespace(status=lambda: psutil.STATUS_SLEEPING, name=lambda: "python")  # a new one with its id

    monkeypatch.setattr(psutil, "Process", process)
    PulumiStack("local").up(lambda _: None)
    assert fake.messages == [None, None]
    assert fake.cancelled == 1


def test_a_full_disk_is_one_error_with_its_folder_and_leaves_no_empty_lock(fake: FakeStack, tmp_path: Path) -> None:
    lock = tmp_path / ".pulumi" / "locks" / "organization" / "p" / "local" / "1.json.18ec.tmp"
    lock.parent.mkdir(parents=True)
    lock.touch()
    fake.fails = f"error: 2 errors occurred:\n    1) write {lock}: no space left on device\n    2) Unknown"
    with pytest.raises(ReleaseError) as failed:
        PulumiStack("local").up(lambda _: None)
    assert failed.value.message == (
        f"stack 'local': Pulumi cannot write to {tmp_path}: the disk is full\n"
        "  fix: free space there, and run this command again"
    )
    assert not lock.exists()


@pytest.mark.parametrize(
    ("said", "problem", "cure"),
    [
        (
            "FileNotFoundError: [Errno 2] No usable temporary directory found in ['/tmp', '/var/tmp', '/home/ann']",
            "no temporary file can be written, in /tmp or elsewhere",
            "free space there, or set TMPDIR to a folder that you may write to",
        ),
        (
            "[Errno 28] No space left on device: '/home/ann/.cache/x'",
            "the disk is full at /home/ann/.cache/x",
            "free space there",
        ),
        ("OSError: [Errno 28] No space left on device", "the disk is full", "free space there"),
    ],
)
def test_a_disk_that_is_full_for_a_plugin_is_one_error(fake: FakeStack, said: str, problem: str, cure: str) -> None:
    fake.fails = said
    with pytest.raises(ReleaseError) as failed:
        PulumiStack("local").up(lambda _: None)
    assert failed.value.message == f"stack 'local': {problem}\n  fix: {cure}, and run this command again"


def test_an_empty_lock_that_a_full_disk_left_is_removed(fake: FakeStack, tmp_path: Path) -> None:
    folder = tmp_path / ".pulumi" / "locks" / "organization" / "p" / "local"
    folder.mkdir(parents=True)
    for name in ("1.json.18ec.tmp", "2.json.18ed.tmp"):
        (folder / name).touch()
    os.utime(folder / "1.json.18ec.tmp", (0, 0))  # the other one is being written
    fake.fails = "error: unexpected end of JSON input"

    def backend() -> SimpleNamespace:
        fake.fails = ""
        return SimpleNamespace(url=f"file://{tmp_path}")

    fake.workspace.who_am_i = backend
    told: list[str] = []
    PulumiStack("local").up(lambda event: told.append(event.diagnostic_event.message))
    assert [each.name for each in folder.iterdir()] == ["2.json.18ed.tmp"]
    assert told == [f"an engine could not write its lock, which is removed: {folder / '1.json.18ec.tmp'}"]
