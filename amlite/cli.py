"""`amlite`: start, stop, look at and use the local Azure."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import psutil

from amlite import runtime
from amlite.children import reap, tail

_START_SECONDS = 30.0


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """The Azure that fits on a laptop: real clients, no account, nothing leaves this machine.

    State lives in .amlite/ of the project (or in $AMLITE_STATE).
    """


@main.command()
def start() -> None:
    """Start amlite in the background (nothing happens when it runs)."""
    running = _ensure_started()
    click.echo(f"amlite runs (pid {running.pid}, state {runtime.state_folder()})")


@main.command()
def stop() -> None:
    """Stop amlite and every process it started; state stays."""
    state = runtime.state_folder()
    running = runtime.read(state)
    if running is not None:
        _terminate(running.pid)
    ended = reap(state)
    left = f" ({ended} leftover processes ended)" if ended else ""
    click.echo(("amlite stopped" if running else "amlite was not running") + left)


@main.command()
@click.option("--output", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
def status(output: str) -> None:
    """Say whether amlite runs, and what it runs. Exit code 1 when it does not."""
    state = runtime.state_folder()
    running = runtime.read(state)
    if running is None:
        click.echo(json.dumps({"running": False}) if output == "json" else f"amlite is not running (state {state})")
        sys.exit(1)
    report = _ask(running, "GET", "/status")
    if output == "json":
        click.echo(json.dumps({"running": True, **report}))
        return
    click.echo(f"amlite     pid {report['pid']}, clock {report['now']}\nstate      {report['state']}")
    for child in report["children"]:
        click.echo(f"child      {child['name']:<24} pid {child['pid']:<8} log {child['log']}")
    for job in report["jobs"]:
        if job["status"] not in ("Completed", "Failed", "Canceled"):
            click.echo(f"job        {job['name']:<24} {job['status']}")


@main.command()
def env() -> None:
    """Print the environment of `amlite run` for a shell: eval "$(amlite env)"."""
    for name, value in sorted(_command_environment(_ensure_started()).items()):
        click.echo(f"export {name}={shlex.quote(value)}")


@main.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(command: tuple[str, ...]) -> None:
    """Run a command against the local Azure, starting amlite when needed: amlite run -- pulumi preview -s local."""
    environment = {**os.environ, **_command_environment(_ensure_started())}
    found = shutil.which(command[0], path=environment["PATH"])
    if found is None:
        raise click.ClickException(f"{command[0]}: command not found")
    sys.stdout.flush()
    os.execve(found, [found, *command[1:]], environment)  # noqa: S606 - running the caller's command is the purpose


@main.command()
@click.argument("name", default="amlite")
@click.option("-f", "--follow", is_flag=True, help="Go on printing as the log grows.")
def logs(name: str, follow: bool) -> None:
    """Print a log: amlite (default), requests, or a child's name from `amlite status`."""
    folder = runtime.state_folder() / "logs"
    path = next((p for p in (folder / f"{name}.log", folder / f"{name}.jsonl") if p.exists()), None)
    if path is None:
        known = ", ".join(sorted(p.stem for p in folder.glob("*.*"))) if folder.is_dir() else ""
        raise click.ClickException(f"no log '{name}' in {folder}; there are: {known or 'none'}")
    if follow:
        with subprocess.Popen(["tail", "-n", "50", "-f", str(path)]) as process:  # noqa: S607
            process.wait()
    else:
        click.echo(tail(path, 200))


@main.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(yes: bool) -> None:
    """Stop amlite and delete all its state, the local stack's Pulumi state included."""
    state = runtime.state_folder()
    if not yes:
        click.confirm(f"Delete {state} and everything in the local Azure?", abort=True)
    running = runtime.read(state)
    if running is not None:
        _terminate(running.pid)
    reap(state)
    shutil.rmtree(state, ignore_errors=True)
    click.echo(f"{state} is gone")


@main.command()
@click.argument("seconds", type=float)
def advance(seconds: float) -> None:
    """Move amlite's clock forward by SECONDS: schedules fire and waits end."""
    running = runtime.read(runtime.state_folder())
    if running is None:
        raise click.ClickException("amlite is not running; start it with: amlite start")
    click.echo(_ask(running, "POST", "/clock", {"seconds": seconds})["now"])


def _ensure_started() -> runtime.Runtime:
    state = runtime.state_folder()
    running = runtime.read(state)
    if running is not None:
        return running
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = state / "logs" / "start.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("w") as output:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "amlite.server", str(state)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        running = runtime.read(state)
        if running is not None:
            return running
        # One that lost a race for the state folder ends at once: the winner is waited for.
        if process.poll() is not None and "another amlite runs" not in tail(log):
            break
        time.sleep(0.02)
    raise click.ClickException(f"amlite did not start; log {log}:\n{tail(log)}")


def _command_environment(running: runtime.Runtime) -> dict[str, str]:
    binaries = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", "")
    pulumi_backend = runtime.state_folder() / "pulumi"
    pulumi_backend.mkdir(exist_ok=True)
    return {
        **running.environment,
        "PATH": path if path.split(os.pathsep)[0] == binaries else f"{binaries}{os.pathsep}{path}",
        # A private backend: no command given to `amlite run` can see, let alone change, the state of a real stack.
        "PULUMI_BACKEND_URL": pulumi_backend.as_uri(),
        # Protects nothing but throw-away state of this machine; see docs/adr.
        "PULUMI_CONFIG_PASSPHRASE": "amlite-local",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }


def _ask(running: runtime.Runtime, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    from amlite.control.client import ask

    return ask(running, method, path, body)


def _terminate(pid: int) -> None:
    try:
        process = psutil.Process(pid)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired:
        process.kill()
        process.wait(timeout=5)


if __name__ == "__main__":
    main()
