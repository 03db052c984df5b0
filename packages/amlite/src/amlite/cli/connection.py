"""The connection that the commands share: it starts the process if needed and sends requests to it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import psutil

from amlite import environment
from amlite.core import disk, runtime
from amlite.core.processes import runs, servers, tail

_START_SECONDS = 30.0
_STOP_SECONDS = 20.0


def running() -> runtime.Runtime:
    """Return the running amlite; ClickException when there is none."""
    found = runtime.read(runtime.state_folder())
    if found is None:
        raise click.ClickException("amlite is not running; start it with: amlite start")
    return found


def ask(running: runtime.Runtime, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Send one request to the running process; anything but an answer ends the command with one line."""
    from urllib.error import HTTPError, URLError

    from amlite.control import client

    try:
        return client.ask(running, method, path, body)
    except HTTPError as error:
        raise click.ClickException(f"amlite refused: {_message(error.read())}") from error
    except URLError as error:
        raise click.ClickException(f"amlite (pid {running.pid}) does not answer: {error.reason}") from error


def _message(answer: bytes) -> str:
    """Return the message of an error in Azure's form, or the whole answer."""
    text = answer.decode("utf-8", "replace")
    try:
        return str(json.loads(text)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return text


def ensure_started() -> runtime.Runtime:
    """Return the running amlite, and start it when there is none; ClickException when it does not start."""
    state = runtime.state_folder()
    if (wrong := disk.check(state) or runtime.foreign(state) or runtime.foreign_cache()) is not None:
        raise click.ClickException(wrong)
    found = runtime.read(state)
    if found is not None:
        return found
    from amlite.tools import command

    command.prepare_start()
    log = state / "logs" / f"start-{os.getpid()}.log"
    deadline = time.monotonic() + _START_SECONDS
    process: subprocess.Popen[bytes] | None = None
    code: int | None = None
    try:
        while time.monotonic() < deadline:
            found = runtime.read(state)
            if found is not None:
                if process is not None and process.pid != found.pid:
                    process.wait()  # ours lost the race for the folder: it is about to find out
                return found
            code = process.poll() if process is not None else runtime.BUSY
            if code == runtime.BUSY:
                # Nobody tried yet, or the folder was taken: by one that is about to answer, or by one that is ending.
                process = _spawn(state, log)
            elif code is not None:
                break
            time.sleep(0.02)
        if code == disk.CODE:
            raise click.ClickException(disk.check(state) or f"amlite cannot write to {state}")
        raise click.ClickException(f"amlite did not start (state {state}):\n{tail(log) or _why(state, code)}")
    finally:
        log.unlink(missing_ok=True)


def end_all(state: Path) -> bool:
    """End the amlite of a state folder, also one that is starting. Return whether there was one.

    Raises ClickException for one that cannot be ended.
    """
    found = servers(state)
    for each in found:
        _end(each)
    if left := [str(each.pid) for each in found if runs(each)]:
        raise click.ClickException(f"amlite (pid {', '.join(left)}) does not end")
    return bool(found)


def _end(process: psutil.Process) -> None:
    """End a process, politely and then by force, and wait until it is gone."""
    # Not psutil's wait: it never ends for a process whose parent does not ask for its exit code.
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)
        deadline = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < deadline:
            if not runs(process):
                return
            time.sleep(0.02)


def _why(state: Path, code: int | None) -> str:
    """Return why an amlite without a message did not start: the reason is its exit code, or what uses the folder."""
    if code is not None and code in (-signal.SIGTERM, -signal.SIGKILL, 0):
        return "it was stopped while it started"
    if not (found := servers(state)):
        return "it ended without a message"
    pids = " ".join(str(each.pid) for each in found)
    return f"another amlite uses the folder and does not answer; end it: kill {pids}"


def _spawn(state: Path, log: Path) -> subprocess.Popen[bytes]:
    state.mkdir(parents=True, exist_ok=True, mode=0o700)  # a reset may have deleted it meanwhile
    log.parent.mkdir(exist_ok=True)
    # Without its compiled files every start would take a second more, in amlite and in all it starts.
    left_out = {"PYTHONDONTWRITEBYTECODE", *environment.of_real_clouds(os.environ)}
    variables = {name: value for name, value in os.environ.items() if name not in left_out}
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "amlite.server", str(state)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, env=variables,
        )  # fmt: skip
