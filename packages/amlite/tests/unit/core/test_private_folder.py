"""Another user of the machine can neither make nor read the folder of amlite's sockets, and none is left behind."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from amlite.core import private_folder
from amlite.tools.docker_engine import CAP_SYS_ADMIN, has_capability

NOBODY = 65534


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    base, state = tmp_path / "run", tmp_path / "state"
    base.mkdir(mode=0o700)
    state.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(base))
    return state


def _ended() -> dict[str, float]:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return {"pid": process.pid, "started": 1.0}


def test_the_folder_is_for_its_user_only_and_stays_the_same(state: Path) -> None:
    made = private_folder.ensure(state)
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert private_folder.ensure(state) == private_folder.find(state) == made
    private_folder.remove(state)
    assert not made.exists()
    assert private_folder.find(state) is None
    assert private_folder.ensure(state) != made, "its name cannot be guessed"


def test_the_files_of_programs_are_on_the_disk(state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runtime folder of a desktop is in memory, and small."""
    elsewhere = tempfile.mkdtemp(dir="/tmp")
    monkeypatch.setattr(private_folder.tempfile, "gettempdir", lambda: elsewhere)
    sockets, files = private_folder.ensure(state), private_folder.ensure(state, private_folder.FILES)
    assert (sockets.parent, files.parent) == (tmp_path / "run", Path(elsewhere))
    private_folder.sweep()
    private_folder.remove(state)
    assert not sockets.exists()
    assert not files.exists()
    Path(elsewhere).rmdir()


def test_the_path_leaves_room_for_the_name_of_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private_folder.tempfile, "gettempdir", lambda: str(tmp_path / ("x" * 60)))
    assert private_folder.bases({}) == [Path("/tmp")]


@pytest.mark.parametrize("attack", ["readable", "link", "another user's"])
def test_a_folder_that_others_can_enter_is_not_used(state: Path, attack: str, tmp_path: Path) -> None:
    made = private_folder.ensure(state)
    if attack == "readable":
        made.chmod(0o755)
    elif attack == "link":
        private_folder.delete(made)
        theirs = tmp_path / "theirs"
        theirs.mkdir(mode=0o700)
        made.symlink_to(theirs)
    elif os.geteuid() == 0:
        os.chown(made, NOBODY, NOBODY)
    else:
        return  # only root can give a folder to another user
    assert private_folder.find(state) is None
    again = private_folder.ensure(state)
    assert again != made
    assert private_folder.is_private(again)


@pytest.mark.attack
@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("name", [".ssh", "amlite-mine"])
def test_a_link_in_a_state_from_elsewhere_deletes_no_other_folder(
    state: Path, name: str, relative: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / name
    mine.mkdir(mode=0o700)
    (mine / "key").write_text("mine")
    monkeypatch.chdir(tmp_path)
    (state / "run").symlink_to(name if relative else mine)
    assert private_folder.find(state) is None
    assert private_folder.ensure(state) != mine
    private_folder.remove(state)
    assert [each.name for each in mine.iterdir()] == ["key"]


def test_a_runtime_folder_that_others_can_enter_is_not_used(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert tmp_path not in private_folder.bases({"XDG_RUNTIME_DIR": str(tmp_path)})


def test_the_next_start_deletes_what_a_deleted_clone_left(state: Path) -> None:
    left = private_folder.ensure(state)
    (state / "run").unlink()
    private_folder.sweep()
    assert left.exists(), "its amlite runs"
    owner = json.loads((left / "owner.json").read_text())
    (left / "owner.json").write_text(json.dumps(owner | _ended()))
    private_folder.sweep()
    assert not left.exists()


def test_the_folder_of_a_killed_amlite_is_used_again_and_folders_of_others_stay(state: Path, tmp_path: Path) -> None:
    made = private_folder.ensure(state)
    owner = json.loads((made / "owner.json").read_text())
    (made / "owner.json").write_text(json.dumps(owner | _ended()))
    unknown = tmp_path / "run" / "amlite-unknown"
    unknown.mkdir(mode=0o700)
    private_folder.sweep()
    assert private_folder.ensure(state) == made
    assert unknown.exists()


def test_what_a_daemon_left_mounted_is_unmounted(state: Path) -> None:
    made = private_folder.ensure(state)
    mounted, kept = made / "run" / "a b", state / "kept"
    kept.mkdir()
    (kept / "file").touch()
    mounted.mkdir(parents=True)
    status = Path("/proc/self/status")
    if status.exists() and has_capability(status.read_text(), CAP_SYS_ADMIN):
        subprocess.run(["mount", "--bind", kept, mounted], check=True)
        assert private_folder.mounted_below(made) == [mounted]
    private_folder.remove(state)
    assert not made.exists()
    assert (kept / "file").exists()
