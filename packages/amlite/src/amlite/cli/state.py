"""The state folder: its logs, its clock, and its end."""

from __future__ import annotations

import contextlib
import fcntl
import re
import subprocess
from pathlib import Path

import click

from amlite.cli.connection import ask, end_all, running
from amlite.core import disk, private_folder, runtime
from amlite.core.processes import reap, tail
from amlite.pulumi import plugins

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@click.command()
@click.argument("name", default="amlite")
@click.option("-f", "--follow", is_flag=True, help="Print new lines as they are written.")
def logs(name: str, follow: bool) -> None:
    """Print a log.

    NAME is `amlite` (the default), `requests`, or the name of a child in `amlite status`.
    """
    folder = runtime.state_folder() / "logs"
    path = next((p for p in (folder / f"{name}.log", folder / f"{name}.jsonl") if p.exists()), None)
    if path is None:
        known = ", ".join(sorted(p.stem for p in folder.glob("*.*"))) if folder.is_dir() else ""
        raise click.ClickException(f"no log '{name}' in {folder}; there are: {known or 'none'}")
    if follow:
        command = ["tail", "-n", "50", "-f", str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace") as process:
            for line in process.stdout or ():
                click.echo(_shown(line), nl=False)
    else:
        click.echo(_shown(tail(path, 200)))


def _shown(text: str) -> str:
    """Return a log without what would control the terminal: parts of it come from requests and from jobs."""
    return _CONTROL.sub("\ufffd", text)


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def reset(yes: bool) -> None:
    """Stop amlite and delete all its state.

    This includes the state of Pulumi stacks that `amlite run` worked on.
    """
    state = runtime.state_folder()
    _check_ours(state)
    if not yes:
        click.confirm(f"Delete {state} and everything in the local Azure?", abort=True)
    end_all(state)
    if state.exists():
        _delete(state)
    click.echo(f"{state} is gone")


@click.command()
@click.argument("seconds", type=float)
def advance(seconds: float) -> None:
    """Move the clock forward by SECONDS.

    Schedules fire, and waits end. The clock never moves back.
    """
    click.echo(ask(running(), "POST", "/clock", {"seconds": seconds})["now"])


def _delete(state: Path) -> None:
    """Delete a state folder. The lock is deleted last, so that no amlite starts in what is left."""
    lock = state / "lock"
    with lock.open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            told = f"an amlite has just started on {state}, and nothing was deleted; run this command again"
            raise click.ClickException(told) from error
        reap(state)
        plugins.end_left(state)
        private_folder.remove(state)
        for each in state.iterdir():
            if each.is_dir() and not each.is_symlink():
                disk.delete(each)
            elif each != lock:
                each.unlink(missing_ok=True)
        if left := sorted(path.name for path in state.iterdir() if path != lock):
            raise click.ClickException(f"not everything in {state} could be deleted; what is left: {', '.join(left)}")
        lock.unlink()
        with contextlib.suppress(OSError):  # an amlite that starts again has made a new one meanwhile
            state.rmdir()


def _check_ours(state: Path) -> None:
    """Refuse to delete a folder that does not look like a state folder: AMLITE_STATE may point anywhere.

    So may a link that comes with a project, and amlite writes its files to whatever a link leads to.
    """
    link = runtime.default_folder()
    if link.is_symlink() and link.resolve() == state:
        raise click.ClickException(f"{link} is a link to {state}; nothing was deleted. Delete what you want yourself")
    if state.exists() and any(state.iterdir()) and not (state / "lock").exists():
        raise click.ClickException(f"{state} is not a state folder of amlite; nothing was deleted")
