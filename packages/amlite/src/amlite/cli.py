"""`amlite`: start, stop, look at and use the local Azure."""

from __future__ import annotations

import contextlib
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
from urllib.parse import quote

import click

from amlite import environment
from amlite.core import runtime
from amlite.core.processes import reap, tail

_START_SECONDS = 30.0
_STOP_SECONDS = 20.0
_REGION = "westeurope"
# Those of amlite.core.faults.Kind, which would cost half a second to import; a test compares them.
_FAULT_KINDS = (
    "throttle", "error", "timeout", "reset", "lost-response", "slow", "lro-fail", "lro-slow", "conflict", "expired",
    "eventual",
)  # fmt: skip


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """The Azure that fits on a laptop: real clients, no account, nothing leaves this machine.

    State lives in .amlite/ of the working folder (or in $AMLITE_STATE).
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
        _terminate(running)
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
    for name in sorted(environment.OTHER_SIGN_INS & os.environ.keys()):
        click.echo(f"unset {name}")
    for name, value in sorted(environment.added(_ensure_started()).items()):
        click.echo(f"export {name}={shlex.quote(value)}")


@main.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(command: tuple[str, ...]) -> None:
    """Run a command against the local Azure, starting amlite when needed: amlite run -- pulumi preview -s local."""
    variables = environment.over(os.environ, _ensure_started())
    found = shutil.which(command[0], path=variables["PATH"])
    if found is None:
        raise click.ClickException(f"{command[0]}: command not found")
    sys.stdout.flush()
    os.execve(found, [found, *command[1:]], variables)  # noqa: S606 - running the caller's command is the purpose


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
        with subprocess.Popen(["tail", "-n", "50", "-f", str(path)]) as process:
            process.wait()
    else:
        click.echo(tail(path, 200))


@main.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(yes: bool) -> None:
    """Stop amlite and delete all its state, the local stack's Pulumi state included."""
    state = runtime.state_folder()
    _check_ours(state)
    if not yes:
        click.confirm(f"Delete {state} and everything in the local Azure?", abort=True)
    running = runtime.read(state)
    if running is not None:
        _terminate(running)
    reap(state)
    shutil.rmtree(state, ignore_errors=True)
    if state.exists():
        left = ", ".join(sorted(path.name for path in state.iterdir()))
        raise click.ClickException(f"not everything in {state} could be deleted; what is left: {left}")
    click.echo(f"{state} is gone")


@main.command()
@click.option("--output", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
def tools(output: str) -> None:
    """Install the programs that amlite needs and does not find, and list all of them."""
    from amlite.tools import command

    command.show(output)


@main.command()
@click.argument("seconds", type=float)
def advance(seconds: float) -> None:
    """Move amlite's clock forward by SECONDS: schedules fire and waits end."""
    click.echo(_ask(_running(), "POST", "/clock", {"seconds": seconds})["now"])


@main.group()
def fault() -> None:
    """Make requests meet what a cloud does now and then: throttling, errors, lost answers."""


@fault.command("add")
@click.option("--match", required=True, help="Method and pattern of host and path: 'PUT */onlineEndpoints/*'.")
@click.option("--kind", required=True, type=click.Choice(_FAULT_KINDS))
@click.option("--times", type=click.IntRange(min=1), help="How many requests meet it (1 unless --rate is given).")
@click.option("--rate", type=click.FloatRange(0, 1, min_open=True), help="Which share of the requests meets it.")
@click.option("--seconds", type=click.FloatRange(min=0), help="How long `slow`, `timeout` and `lro-slow` take.")
@click.option("--after", type=click.IntRange(min=0), default=0, help="How many requests are let through first.")
def add_fault(match: str, kind: str, times: int | None, rate: float | None, seconds: float | None, after: int) -> None:
    """Add a fault; amlite forgets it when it stops."""
    wanted = {"match": match, "kind": kind, "times": times, "rate": rate, "seconds": seconds, "after": after}
    click.echo(f"fault {_ask(_running(), 'POST', '/faults', wanted)['id']}")


@fault.command("list")
def list_faults() -> None:
    """List the faults and how often each was met."""
    for rule in _ask(_running(), "GET", "/faults")["value"]:
        extent = f"rate {rule['rate']}" if rule["rate"] is not None else f"{rule['times']} times"
        click.echo(f"{rule['id']:<4} {rule['kind']:<14} {extent:<10} met {rule['met']:<5} {rule['match']}")


@fault.command("clear")
def clear_faults() -> None:
    """Forget every fault."""
    click.echo(f"{_ask(_running(), 'DELETE', '/faults')['cleared']} faults cleared")


@main.group()
def quota() -> None:
    """Say how many vCPUs the subscription may use."""


@quota.command("set")
@click.argument("family")
@click.argument("cores", type=click.IntRange(min=0))
@click.option("--region", help="A region; every region without a limit of its own when not given.")
def set_quota(family: str, cores: int, region: str | None) -> None:
    """Let FAMILY (standardDSv2Family, a VM size of it, or `total`) have CORES vCPUs."""
    told = _ask(_running(), "POST", "/quota", {"family": family, "cores": cores, "region": region})
    click.echo(f"{told['family']}: {told['cores']} vCPUs in {region or 'every region'}")


@quota.command("list")
@click.option("--region", default=_REGION, show_default=True, help="The region.")
def list_quota(region: str) -> None:
    """List the vCPUs in use and the limit of each family."""
    for row in _ask(_running(), "GET", f"/quota?region={quote(region)}")["value"]:
        click.echo(f"{row['used']:>5} of {row['limit']:<5} {row['family']}")


@quota.command("clear")
def clear_quota() -> None:
    """Take back every limit that was set."""
    click.echo(f"{_ask(_running(), 'DELETE', '/quota')['cleared']} limits taken back")


def _running() -> runtime.Runtime:
    running = runtime.read(runtime.state_folder())
    if running is None:
        raise click.ClickException("amlite is not running; start it with: amlite start")
    return running


def _ask(running: runtime.Runtime, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Send one request to the running process; anything but an answer ends the command with one line."""
    from urllib.error import HTTPError, URLError

    from amlite.control import client

    try:
        return client.ask(running, method, path, body)
    except HTTPError as error:
        raise click.ClickException(f"amlite refused: {error.read().decode('utf-8', 'replace')}") from error
    except URLError as error:
        raise click.ClickException(f"amlite (pid {running.pid}) does not answer: {error.reason}") from error


def _ensure_started() -> runtime.Runtime:
    state = runtime.state_folder()
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    running = runtime.read(state)
    if running is not None:
        return running
    from amlite.tools import command

    command.prepare_start()
    log = state / "logs" / f"start-{os.getpid()}.log"
    deadline = time.monotonic() + _START_SECONDS
    process: subprocess.Popen[bytes] | None = None
    try:
        while time.monotonic() < deadline:
            running = runtime.read(state)
            if running is not None:
                if process is not None and process.pid != running.pid:
                    process.wait()  # ours lost the race for the folder: it is about to find out
                return running
            code = process.poll() if process is not None else runtime.BUSY
            if code == runtime.BUSY:
                # Nobody tried yet, or the folder was taken: by one that is about to answer, or by one that is ending.
                process = _spawn(state, log)
            elif code is not None:
                break
            time.sleep(0.02)
        held = f"another one holds the folder and does not answer; end it: pkill -f 'amlite.server {state}'"
        raise click.ClickException(f"amlite did not start (state {state}):\n{tail(log) or held}")
    finally:
        log.unlink(missing_ok=True)


def _spawn(state: Path, log: Path) -> subprocess.Popen[bytes]:
    log.parent.mkdir(exist_ok=True)
    # Without its compiled files every start would take a second more, in amlite and in all it starts.
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "amlite.server", str(state)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, env=variables,
        )  # fmt: skip


def _check_ours(state: Path) -> None:
    """Refuse to delete a folder that does not look like a state folder: AMLITE_STATE may point anywhere."""
    if state.exists() and any(state.iterdir()) and not (state / "lock").exists():
        raise click.ClickException(f"{state} is no state folder of amlite; nothing was deleted")


def _terminate(running: runtime.Runtime) -> None:
    # Not psutil's wait: it never ends for a process whose parent does not ask for its exit code.
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(running.pid, number)
        deadline = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < deadline:
            if not running.alive:
                return
            time.sleep(0.02)


if __name__ == "__main__":
    main()
