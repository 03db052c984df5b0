"""One stack, driven through Pulumi's Automation API."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pulumi import automation
from pulumi.automation import events
from pydantic import ValidationError

from infra import NAMESPACE
from infra.outputs import StackOutputs, parse
from release.errors import ReleaseError

ROOT = Path(__file__).resolve().parent.parent
# The engine's own choice is four for each processor, and most of them only wait for Azure.
_AT_ONCE = 32
# What gRPC puts before the message of a provider's exception.
_GRPC = "Exception calling application: "
_CANCELLED = ("update canceled", "update cancelled")
_NO_REASON = ("an unhandled error occurred", "update failed", "preview failed", *_CANCELLED)
# A creation is none of these: it is not in the state, so the next update repeats it.
_CHANGING = ("updating", "deleting")
OnEvent = Callable[[events.EngineEvent], None]


@dataclass
class Changes:
    """What one engine run did: operation → resources, and what it complained about."""

    summary: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    @property
    def unchanged(self) -> bool:
        """Whether nothing was created, updated, replaced or deleted."""
        return not any(count for operation, count in self.summary.items() if operation != "same")


class PulumiStack:
    """A stack of this project, by name. Every method runs the real engine; ReleaseError says what it refuses."""

    def __init__(self, name: str) -> None:
        """Select the stack, creating it in the current backend when it is new.

        Raises:
            ReleaseError: there is no configuration for it, or the backend refuses.
        """
        self.name = name
        if not (ROOT / f"Pulumi.{name}.yaml").exists():
            known = ", ".join(sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml")))
            raise ReleaseError(f"there is no Pulumi.{name}.yaml; stacks of this project: {known}")
        try:
            self._stack = automation.create_or_select_stack(name, work_dir=str(ROOT))
        except automation.CommandError as error:
            raise ReleaseError(f"cannot open stack '{name}': {_essence(error)}") from error

    def preview(self, on_event: OnEvent) -> Changes:
        """Say what an update would do."""
        return self._run(self._stack.preview, on_event)

    def up(self, on_event: OnEvent) -> Changes:
        """Bring the cloud to what the program says."""
        return self._run(self._stack.up, on_event)

    def interrupted(self) -> list[str]:
        """Return the URNs of resources that a lost engine was changing: the state does not say how far it came."""
        with self._told():
            state = self._stack.export_stack().deployment or {}
        pending = state.get("pending_operations") or []
        return [each["resource"]["urn"] for each in pending if each["type"] in _CHANGING]

    def refresh(self, urns: list[str], on_event: OnEvent) -> Changes:
        """Read some resources back from the cloud into the state."""
        return self._run(functools.partial(self._stack.refresh, target=urns), on_event)

    def destroy(self, on_event: OnEvent) -> Changes:
        """Delete everything the stack made."""
        return self._run(self._stack.destroy, on_event)

    def outputs(self) -> StackOutputs | None:
        """Return the stack's outputs, or None for a stack that was never brought up in full."""
        command = ["pulumi", "stack", "output", "--json", "--stack", self.name]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ReleaseError(f"cannot read the outputs of stack '{self.name}': {done.stderr.strip()}")
        try:
            return parse(json.loads(done.stdout))
        except ValidationError:
            return None

    def deployed(self) -> StackOutputs:
        """Return the outputs of a stack that must be up.

        Raises:
            ReleaseError: it is not.
        """
        outputs = self.outputs()
        if outputs is None:
            raise ReleaseError(f"stack '{self.name}' is not deployed (in full); run: release up --stack {self.name}")
        return outputs

    def promote(self, endpoint: str, model: str, version: str) -> None:
        """Write to the stack's configuration which model version an endpoint serves."""
        with self._told():
            for key, value in (("name", model), ("version", version)):
                path = f'{NAMESPACE}:models["{endpoint}"].{key}'
                self._stack.set_config(path, automation.ConfigValue(value), path=True)

    def forget_models(self) -> bool:
        """Remove every promoted model from the configuration; return whether there was one."""
        with self._told():
            if f"{NAMESPACE}:models" not in self._stack.get_all_config():
                return False
            self._stack.remove_config(f"{NAMESPACE}:models")
            return True

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn a failed command into one error without a traceback."""
        try:
            yield
        except automation.CommandError as error:
            raise ReleaseError(f"stack '{self.name}': {_essence(error)}") from error

    def _run(self, command: Callable[..., Any], on_event: OnEvent) -> Changes:
        changes = Changes()

        def note(event: events.EngineEvent) -> None:
            diagnostic = event.diagnostic_event
            if diagnostic and diagnostic.severity == "error" and diagnostic.message.strip():
                changes.errors.append(diagnostic.message.strip().removeprefix(_GRPC))
            if event.summary_event:
                changes.summary = {str(k): v for k, v in event.summary_event.resource_changes.items()}
            on_event(event)

        try:
            command(on_event=note, parallel=_AT_ONCE, color="never" if os.environ.get("NO_COLOR") else "auto")
        except automation.CommandError as error:
            # What the engine adds to every failed program says nothing beside the program's own words.
            reasons = [each for each in dict.fromkeys(changes.errors) if not each.startswith(_NO_REASON)]
            told = "\n".join(reasons) or _cancelled(error) or _essence(error)
            raise ReleaseError(f"stack '{self.name}': {told}") from error
        return changes


def _cancelled(error: automation.CommandError) -> str | None:
    """Return what a user who cancelled an update has to know; None when nobody did."""
    if not any(each in str(error) for each in _CANCELLED):
        return None
    return "cancelled; what is done is kept, and the next update goes on from there"


def _essence(error: automation.CommandError) -> str:
    """Return the lines of a failed command that speak of the error."""
    lines = [line.strip() for line in str(error).splitlines()]
    told = [line.removeprefix("stderr: ") for line in lines if "error" in line.lower()]
    return "\n".join(told) or str(error)
