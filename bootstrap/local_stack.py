"""Prepares a stack on the local Azure: creates it if it is missing, and adapts its image build to the machine.

Run by the Makefile, inside `amlite run`: `python -m bootstrap.local_stack fit STACK`, and `hint STACK` after `make up`.
With `--example NAME`, the stack is one of the project `examples/NAME`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootstrap import stack_files
from bootstrap.errors import SetupError
from bootstrap.stack_files import Project

_BUILD_KEY = "azureml-platform:image.build"
_MODELS_KEY = "azureml-platform:models"


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


def fit(stack: str, project: Project, here: Engine) -> list[str]:
    """Create the stack if it is missing. Turn the image build off if there is no Docker engine.

    Turns the image build on again only if this function turned it off. A user's own `false` stays. The file of a stack
    without resources loses its promoted models, except those in a registry, because no workspace has them any more.

    Args:
        stack: The stack. Its file exists.
        project: The project of the stack.
        here: The Docker engine of this machine.

    Returns:
        One line per change of the stack's file.

    Raises:
        SetupError: Pulumi fails.
    """
    told = []
    file = project.file(stack).name
    is_empty = _is_empty(stack, project)
    configuration = json.loads(_pulumi(project, "config", "--json", "--stack", stack))
    models = configuration.get(_MODELS_KEY, {}).get("objectValue") or {}
    stale = [name for name, model in models.items() if not _is_in_registry(model)] if is_empty else []
    if stale:
        # The whole key if nothing remains, so that the file is unchanged.
        keys = [_MODELS_KEY] if len(stale) == len(models) else [f'{_MODELS_KEY}["{name}"]' for name in stale]
        _pulumi(project, "config", "rm-all", "--stack", stack, "--path", *keys)
        told.append(f"Removed the promoted models from {file}: the stack has no resources")
    switched_off = project.notes / f"image-build-switched-off-{stack}"
    if not here.available and _builds(configuration):
        _pulumi(project, "config", "set", "--stack", stack, "--path", _BUILD_KEY, "false")
        switched_off.touch()
        told.append(f"Switched the image build off ({file}, {_BUILD_KEY}): {here.reason}")
    elif here.available and switched_off.exists():
        _pulumi(project, "config", "set", "--stack", stack, "--path", _BUILD_KEY, "true")
        switched_off.unlink()
        told.append(f"Switched the image build on again ({file}, {_BUILD_KEY}): there is a Docker engine")
    return told


def hint(stack: str, project: Project) -> list[str]:
    """Print what the jobs ran in, and how to use the stack from a shell."""
    jobs = json.loads(_run("amlite", "status", "--output", "json"))["jobs"]
    folder = "" if project.folder == project.source else f'; export PULUMI_OPTION_CWD="{project.folder.resolve()}"'
    return [
        *(f"Jobs ran in a {runner}" for runner in sorted({job["runner"] for job in jobs if job["runner"]})),
        f'For these commands, point your shell to the local Azure first:  eval "$(.venv/bin/amlite env)"{folder}',
        "Its parts and their logs: .venv/bin/amlite status. Stop it: make down",
    ]


def _is_empty(stack: str, project: Project) -> bool:
    """Whether the stack has no resources. Creates the stack if it is missing."""
    known = json.loads(_pulumi(project, "stack", "ls", "--json"))
    found = [each for each in known if each["name"].rpartition("/")[2] == stack]
    if not found:
        # --no-select: which stack a plain `pulumi` works on is the user's choice.
        _pulumi(project, "stack", "init", "--no-select", "--stack", stack)
    return not any(each.get("resourceCount") for each in found)


def _is_in_registry(model: dict[str, Any] | str) -> bool:
    """Whether a promoted model, in either form, is in a registry. It remains when its stack's resources go."""
    return model.startswith("azureml://registries/") if isinstance(model, str) else "registry" in model


def _builds(configuration: dict[str, Any]) -> bool:
    """Whether a stack's configuration turns the image build on, which is the default."""
    image = configuration.get(_BUILD_KEY.partition(".")[0], {})
    return bool((image.get("objectValue") or {}).get("build", True))


def _pulumi(project: Project, *arguments: str) -> str:
    return _run("pulumi", "--cwd", str(project.folder), *arguments, "--non-interactive", "--color", "never")


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
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("fit", "hint"):
        command = commands.add_parser(name)
        command.add_argument("stack")
        command.add_argument("--example")
    options = parser.parse_args()
    try:
        project = Project.of(options.stack, Path.cwd(), example=options.example or None)
        if options.command == "fit":
            lines = stack_files.write(options.stack, project)
            lines += fit(options.stack, project, engine())
        else:
            lines = hint(options.stack, project)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    print(*lines, sep="\n", end="\n" if lines else "")
    return 0


if __name__ == "__main__":
    sys.exit(main())
