"""Makes the project's stack `local` fit this machine: `amlite stack`, which `make up` runs first."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from amlite.core import docker_engine
from amlite.core.errors import StartError

STACK = "local"
_BUILD_KEY = "azureml-platform:image.build"


def fit(project: Path, state: Path, environment: Mapping[str, str], engine: docker_engine.Engine) -> list[str]:
    """Create the stack in the private backend when it is missing; build images only where the machine can.

    `project` holds Pulumi.yaml, `environment` is that of `amlite run`. Only a build that was switched off here is
    switched on again: a user's own `false` stays. Returns one line a change; raises StartError when Pulumi refuses.
    """
    told = []
    if _create(project, environment):
        told.append(f"Created the stack {STACK} in {environment['PULUMI_BACKEND_URL']}")
    switched_off = state / "image-build-switched-off"
    if not engine.available and _builds(project, environment):
        _pulumi(project, environment, "config", "set", "--stack", STACK, "--path", _BUILD_KEY, "false")
        switched_off.touch()
        told.append(f"Switched the image build off (Pulumi.{STACK}.yaml, {_BUILD_KEY}): {engine.reason}")
    elif engine.available and switched_off.exists():
        _pulumi(project, environment, "config", "set", "--stack", STACK, "--path", _BUILD_KEY, "true")
        switched_off.unlink()
        told.append(f"Switched the image build on again (Pulumi.{STACK}.yaml, {_BUILD_KEY}): {engine.reason}")
    return told


def _create(project: Path, environment: Mapping[str, str]) -> bool:
    known = json.loads(_pulumi(project, environment, "stack", "ls", "--json"))
    if any(stack["name"].rpartition("/")[2] == STACK for stack in known):
        return False
    # --no-select: which stack a plain `pulumi` works on is the user's choice.
    _pulumi(project, environment, "stack", "init", "--no-select", "--stack", STACK)
    return True


def _builds(project: Path, environment: Mapping[str, str]) -> bool:
    """Whether the stack's configuration asks for the build (as it does when it says nothing)."""
    config = json.loads(_pulumi(project, environment, "config", "--json", "--stack", STACK))
    image = config.get(_BUILD_KEY.partition(".")[0], {})
    return bool((image.get("objectValue") or {}).get("build", True))


def _pulumi(project: Path, environment: Mapping[str, str], *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive", "--color", "never"],
            check=True, cwd=project, env=environment, capture_output=True, text=True,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise StartError("the Pulumi CLI is not installed (pulumi is not in .venv/bin); run: make setup") from error
    except subprocess.CalledProcessError as error:
        raise StartError(f"pulumi {' '.join(arguments)}: {(error.stderr or error.stdout).strip()}") from error
    return done.stdout
