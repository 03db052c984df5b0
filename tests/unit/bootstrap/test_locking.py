from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bootstrap.locking import exclusive, run_exclusively

REPOSITORY = Path(__file__).resolve().parents[3]


def test_the_second_waits_and_says_for_whom(tmp_path: Path) -> None:
    lock, order, said = tmp_path / "lock", [], threading.Event()
    messages: list[str] = []

    def say(message: str) -> None:
        messages.append(message)
        said.set()

    def second() -> None:
        with exclusive(lock, "a test", say=say):
            order.append("second")

    with exclusive(lock, "a test"):
        thread = threading.Thread(target=second)
        thread.start()
        assert said.wait(10)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    assert messages == [f"a test is running (process {os.getpid()}); waiting for it to end ..."]


def test_waiting_for_a_lock_file_that_is_then_deleted_takes_the_new_file(tmp_path: Path) -> None:
    lock, said, inside = tmp_path / "state" / "lock", threading.Event(), threading.Event()

    def second() -> None:
        with exclusive(lock, "a test", say=lambda _: said.set()):
            assert lock.read_text() == f"{os.getpid()}\n"
            inside.set()

    thread = threading.Thread(target=second)
    with exclusive(lock, "a test"):
        thread.start()
        assert said.wait(10)
        shutil.rmtree(lock.parent)
    assert inside.wait(10)
    thread.join(10)


def test_a_killed_holder_frees_the_lock(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    program = (
        "import sys, pathlib, time; from bootstrap.locking import exclusive\n"
        "with exclusive(pathlib.Path(sys.argv[1]), 'x'):\n    print('held', flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(lock)], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.kill()
    messages: list[str] = []
    with exclusive(lock, "x", say=messages.append):
        assert messages == []


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 128 + signal.SIGTERM)])
def test_run_exclusively_returns_the_commands_code(tmp_path: Path, script: str, code: int) -> None:
    assert run_exclusively(tmp_path / "lock", "a test", ["sh", "-c", script]) == code


def test_the_command_does_not_inherit_the_lock(tmp_path: Path) -> None:
    # What the command leaves running (amlite does) must not hold the lock for ever.
    pid_file, lock = tmp_path / "pid", tmp_path / "lock"
    run_exclusively(lock, "a test", ["sh", "-c", f"sleep 600 >/dev/null 2>&1 & echo $! > {pid_file}"])
    try:
        with exclusive(lock, "a test", say=pytest.fail):
            pass
    finally:
        os.kill(int(pid_file.read_text()), signal.SIGKILL)
