"""The stack `local` on this machine: created if missing, without an image build if the machine cannot build images.

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
    """Whether amlite has a Docker engine on this machine, and the reason if it has none."""

    available: bool
    reason: str = ""


def engine() -> Engine:
    """Ask amlite for its Docker engine. It installs one if there is none and the machine allows it."""
    rows = json.loads(_run("amlite", "tools", "--output", "json"))["tools"]
    row = next(row for row in rows if row["tool"] == "docker-engine")
    return Engine(row["where"] is not None, row["reason"].partition("\n")[0])


def fit(project: Path, here: Engine) -> list[str]:
    """Create the stack if it is missing. Turn the image build off if there is no Docker engine.

    Turns the image build on again only if this function turned it off. A user's own `false` stays.

    Args:
        project: The folder with Pulumi.yaml.
        here: The Docker engine of this machine.

    Returns:
        One line per change of the image build.

    Raises:
        SetupError: Pulumi fails.
    """
    told = []
    _create(project)
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
    """Tell what the jobs ran in, and how to use the local Azure from a shell."""
    jobs = json.loads(_run("amlite", "status", "--output", "json"))["jobs"]
    return [
        *(f"Jobs ran in a {runner}" for runner in sorted({job["runner"] for job in jobs if job["runner"]})),
        'For these commands, point your shell to the local Azure first:  eval "$(.venv/bin/amlite env)"',
        "Its parts and their logs: .venv/bin/amlite status. Stop it: make down",
    ]


def _create(project: Path) -> None:
    known = json.loads(_pulumi(project, "stack", "ls", "--json"))
    if all(stack["name"].rpartition("/")[2] != STACK for stack in known):
        # --no-select: which stack a plain `pulumi` works on is the user's choice.
        _pulumi(project, "stack", "init", "--no-select", "--stack", STACK)


def _builds(project: Path) -> bool:
    """Whether the stack's configuration turns the image build on, which is the default."""
    config: dict[str, Any] = json.loads(_pulumi(project, "config", "--json", "--stack", STACK))
    image = config.get(_BUILD_KEY.partition(".")[0], {})
    return bool((image.get("objectValue") or {}).get("build", True))


def _pulumi(project: Path, *arguments: str) -> str:
    return _run("pulumi", "--cwd", str(project), *arguments, "--non-interactive", "--color", "never")


def _run(*command: str) -> str:
    """Run a program and return its output. Its progress and errors go to standard error."""
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SetupError(f"`{' '.join(command)}` ended with code {done.returncode}", fix="See its error above.")
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
