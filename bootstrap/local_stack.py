"""The stack `local` on this machine: made when missing, without an image build where nothing can build one.

Run by the Makefile, inside `amlite run`: `python -m bootstrap.local_stack fit`, and `hint` after `make up`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootstrap.errors import SetupError

STACK = "local"
_BUILD_KEY = "azureml-platform:image.build"


@dataclass(frozen=True)
class Engine:
    """Whether amlite has a Docker engine here, and why it has none."""

    available: bool
    reason: str = ""


def engine() -> Engine:
    """Ask amlite for its Docker engine, which it brings where it can and none is there."""
    rows = json.loads(_run("amlite", "tools", "--output", "json"))["tools"]
    row = next(row for row in rows if row["tool"] == "docker-engine")
    return Engine(row["where"] is not None, row["reason"].partition("\n")[0])


def fit(project: Path, here: Engine) -> list[str]:
    """Create the stack when it is missing; build images only where the machine can.

    Only a build that was switched off here is switched on again: a user's own `false` stays.

    Args:
        project: The folder with Pulumi.yaml.
        here: The engine of this machine.

    Returns:
        A line for each change.

    Raises:
        SetupError: Pulumi refuses.
    """
    told = []
    if _create(project):
        told.append(f"Created the stack {STACK}")
    switched_off = project / ".venv" / "image-build-switched-off"
    if not here.available and _builds(project):
        _pulumi(project, "config", "set", "--stack", STACK, "--path", _BUILD_KEY, "false")
        switched_off.touch()
        told.append(f"Switched the image build off (Pulumi.{STACK}.yaml, {_BUILD_KEY}): {here.reason}")
    elif here.available and switched_off.exists():
        _pulumi(project, "config", "set", "--stack", STACK, "--path", _BUILD_KEY, "true")
        switched_off.unlink()
        told.append(f"Switched the image build on again (Pulumi.{STACK}.yaml, {_BUILD_KEY}): there is a Docker engine")
    return told


def hint() -> list[str]:
    """Say what the jobs ran in, and how a shell gets to the local Azure."""
    jobs = json.loads(_run("amlite", "status", "--output", "json"))["jobs"]
    return [
        *(f"Jobs ran in a {runner}" for runner in sorted({job["runner"] for job in jobs if job["runner"]})),
        'For these commands, point your shell to the local Azure first:  eval "$(.venv/bin/amlite env)"',
        "Its parts and their logs: .venv/bin/amlite status. Stop it: make down",
    ]


def _create(project: Path) -> bool:
    known = json.loads(_pulumi(project, "stack", "ls", "--json"))
    if any(stack["name"].rpartition("/")[2] == STACK for stack in known):
        return False
    # --no-select: which stack a plain `pulumi` works on is the user's choice.
    _pulumi(project, "stack", "init", "--no-select", "--stack", STACK)
    return True


def _builds(project: Path) -> bool:
    """Whether the stack's configuration asks for the build (as it does when it says nothing)."""
    config: dict[str, Any] = json.loads(_pulumi(project, "config", "--json", "--stack", STACK))
    image = config.get(_BUILD_KEY.partition(".")[0], {})
    return bool((image.get("objectValue") or {}).get("build", True))


def _pulumi(project: Path, *arguments: str) -> str:
    return _run("pulumi", "--cwd", str(project), *arguments, "--non-interactive", "--color", "never")


def _run(*command: str) -> str:
    """Run a program and return what it prints; progress and errors are shown as they come."""
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SetupError(f"`{' '.join(command)}` ended with code {done.returncode}", fix="Its own words are above.")
    return done.stdout


def main() -> int:
    """Run one of the commands.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(prog="python -m bootstrap.local_stack", description=__doc__)
    parser.add_argument("command", choices=["fit", "hint"])
    try:
        lines = fit(Path.cwd(), engine()) if parser.parse_args().command == "fit" else hint()
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    print(*lines, sep="\n", end="\n" if lines else "")
    return 0


if __name__ == "__main__":
    sys.exit(main())
