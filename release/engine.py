"""Runs of the Pulumi engine: one error for a failure, and the lock of an engine that was killed."""

from __future__ import annotations

import functools
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pulumi import automation
from pulumi.automation import events

from infra import RENAMES
from pulumi_azureml.operations import AGAIN
from release import storage
from release.errors import ExistingError, PassingError, ReleaseError, RenamedError
from release.interrupting import Cancellation
from release.locks import Lock, locks_in, remove, unwritten

# Parallel operations mostly wait for Azure. The engine's default of four for each processor is too low.
_PARALLEL = 32
# gRPC puts this before the message of a provider's exception.
_GRPC = "Exception calling application: "
# azure-native refuses to create what exists, and names its id.
_EXISTING = re.compile(r"cannot create already existing (?:sub)?resource ['\"]?(?P<id>/[^\s'\"]+)")
_CREATES = (automation.OpType.CREATE, automation.OpType.CREATE_REPLACEMENT)
# The engine puts this before the message of a resource hook.
_HOOK = re.compile(r'^(Preview failed: )?before hook "[\w-]+" failed: ')
_CANCELLED = ("update canceled", "update cancelled")
_CANCELLATION = "the update was cancelled. Completed changes are kept, and the next update continues from there"
_NO_REASON = ("an unhandled error occurred", "update failed", "preview failed", *_CANCELLED)
# Others' failures that pass: Azure's codes, and the words for a connection that broke.
_PASSING = re.compile(
    r"InternalServerError|InternalError|TooManyRequests|ServiceUnavailable|ServerBusy|GatewayTimeout|BadGateway|OperationTimedOut|"
    r"AnotherOperationInProgress|temporarily_unavailable|"
    r"ExpiredAuthenticationToken|[Tt]oken (has|is) expired|Lifetime validation failed|"
    r"\b(429|500|502|503|504)\b|"
    r"[Cc]onnection (aborted|reset|broke|error)|RemoteDisconnected|EOF occurred|[Tt]imed? ?out"
)
# The type of our own resources in a URN. Their provider says itself which of its errors pass.
_OWN = "pulumi-python:dynamic/azureml:"
# The program's traceback after a resource failed in an update that goes on after errors.
_CONSEQUENCE = "ResourceRegistrationFailed"
# What the engine says about a lock without content.
_NO_CONTENT = "unexpected end of JSON input"
OnEvent = Callable[[events.EngineEvent], None]


@dataclass
class Changes:
    """The result of one engine run.

    Attributes:
        summary: The number of resources by operation.
        errors: The errors.
        renames: The changed names.
        existing: The ids of resources that could not be created because they exist in Azure, by URN.
        wanted: What the run began to create, by URN, as the state would have it.
        lasting: Those of the errors after which another attempt would fail too.
    """

    summary: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    renames: list[str] = field(default_factory=list)
    existing: dict[str, str] = field(default_factory=dict)
    wanted: dict[str, dict[str, Any]] = field(default_factory=dict)
    lasting: set[str] = field(default_factory=set)

    @property
    def unchanged(self) -> bool:
        """Whether nothing was created, updated, replaced or deleted."""
        return not any(count for operation, count in self.summary.items() if operation != "same")


class _EventReader:
    """Passes events on until that fails. The engine waits for ever, with its lock, if nobody reads its events."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self._error: BaseException | None = None

    def __call__(self, event: events.EngineEvent) -> None:
        if self._error is None:
            try:
                self._on_event(event)
            except BaseException as error:  # noqa: BLE001 - `check` raises it
                self._error = error

    def check(self) -> None:
        """Raise the error of the event that could not be passed on."""
        if self._error is not None:
            raise self._error


class Engine:
    """The runs of the engine on one stack."""

    def __init__(self, name: str, stack: automation.Stack) -> None:
        """Take the stack's name for messages, and the stack."""
        self._name = name
        self._stack = stack

    def run(self, command: Callable[..., Any], on_event: OnEvent) -> Changes:
        """Run a command of the engine. If `on_event` fails, as with a closed output, the command ends first.

        A signal to end cancels it, and it ends first too.

        Raises:
            ReleaseError: It failed. RenamedError if it would replace resources whose names have changed, ExistingError
                if resources exist in Azure that it should create, and PassingError if another attempt can succeed.
        """
        changes = Changes()
        reader = _EventReader(on_event)

        def note(event: events.EngineEvent) -> None:
            diagnostic = event.diagnostic_event
            if diagnostic and diagnostic.severity == "error" and diagnostic.message.strip():
                message = diagnostic.message.strip()
                error = _HOOK.sub("", message).removeprefix(_GRPC).replace(f" {AGAIN}", "")
                changes.errors.append(error)
                if not _passes(message, diagnostic.urn or ""):
                    changes.lasting.add(error)
                if diagnostic.urn and (existing := _EXISTING.search(diagnostic.message)):
                    changes.existing[diagnostic.urn] = existing["id"]
            if diagnostic and diagnostic.severity == "warning" and diagnostic.message.startswith(RENAMES):
                changes.renames.append(diagnostic.message.strip())
            began = event.resource_pre_event.metadata if event.resource_pre_event else None
            if began is not None and began.op in _CREATES and began.new is not None:
                changes.wanted[began.urn] = _in_state(began.new)
            if event.summary_event:
                changes.summary = {str(k): v for k, v in event.summary_event.resource_changes.items()}
            reader(event)

        color = "never" if os.environ.get("NO_COLOR") else "auto"
        cancellation = Cancellation()
        try:
            with cancellation.awaited():
                self.unless_locked(functools.partial(command, on_event=note, parallel=_PARALLEL, color=color), on_event)
        except automation.CommandError as error:
            if cancellation.came:
                raise ReleaseError(f"stack '{self._name}': {_CANCELLATION}") from error
            raise self._failed(changes, error) from error
        reader.check()
        if cancellation.came:
            raise KeyboardInterrupt
        return changes

    def _failed(self, changes: Changes, error: automation.CommandError) -> ReleaseError:
        """Return the error for a command that failed."""
        if (full := storage.problem(self._name, "\n".join([*changes.errors, str(error)]))) is not None:
            return full
        # The engine adds general errors to the program's own. They would only repeat that it failed.
        told = [each for each in dict.fromkeys(changes.errors) if _CONSEQUENCE not in each]
        reasons = [each for each in told if not each.startswith(_NO_REASON)]
        message = "\n".join(reasons) or _cancelled(error) or essence(error)
        # Changed names can be the reason of an error.
        text = "\n".join([f"stack '{self._name}': {message}", *changes.renames])
        if message.startswith(RENAMES):
            return RenamedError(text)
        if changes.existing:
            return ExistingError(text, changes.existing, changes.wanted)
        passes = bool(reasons) and changes.lasting.isdisjoint(reasons)
        return (PassingError if passes else ReleaseError)(text)

    def unless_locked(self, command: Callable[[], Any], on_event: OnEvent) -> None:
        """Run a command that locks the stack. Take over the lock of an engine that no longer runs, and tell so.

        Raises:
            ReleaseError: Another process has the lock, or this machine does not know whether it still runs.
            automation.CommandError: The command failed.
        """
        try:
            command()
        except automation.ConcurrentUpdateError as error:
            held = locks_in(str(error))
            if not held or not all(each.abandoned for each in held):
                raise self._locked(held) from error
            holders = ", ".join(map(str, held))
            on_event(_warning(f"an engine was killed and left its lock, which is removed: {holders}"))
            try:
                self._unlock(held)
                command()
            except automation.ConcurrentUpdateError as again:
                raise self._locked(locks_in(str(again))) from again
        except automation.CommandError as error:
            left = unwritten(self._stack.workspace.who_am_i().url or "") if _NO_CONTENT in str(error) else []
            if not left:
                raise
            on_event(_warning(f"an engine could not write its lock, which is removed: {', '.join(map(str, left))}"))
            for file in left:
                remove(file)
            command()

    def _unlock(self, held: list[Lock]) -> None:
        backend = self._stack.workspace.who_am_i().url or ""
        files = [file for each in held if (file := each.file(backend)) is not None]
        if len(files) < len(held):
            self._stack.cancel()
        # Only these files. A release that started at the same time may already have a lock of its own.
        for file in files:
            remove(file)

    def _locked(self, held: list[Lock]) -> ReleaseError:
        by = f" (by {', '.join(map(str, held))})" if held else ""
        where = "" if all(each.here for each in held) else " on its machine"
        return ReleaseError(
            f"stack '{self._name}' is being updated by another process{by}. Nothing was changed",
            fix=f"wait until it has ended, and run this command again. If it was killed{where}: "
            f"pulumi cancel -s {self._name}",
        )


def _in_state(new: events.StepEventStateMetadata) -> dict[str, Any]:
    """Return a new resource as the state has it. The engine masks secrets in its events, so they are masked here."""
    known = {
        "urn": new.urn,
        "custom": True,
        "type": new.type,
        "provider": new.provider,
        "inputs": dict(new.inputs or {}),
    }
    return {**known, "parent": new.parent} if new.parent else known


def _passes(message: str, urn: str) -> bool:
    """Return whether another attempt can succeed after an error."""
    if _OWN in urn and _GRPC in message:
        return AGAIN in message
    return bool(_PASSING.search(message))


def _warning(message: str) -> events.EngineEvent:
    """Return a message in the form of the engine's own, so that it appears among these."""
    said = events.DiagnosticEvent(message=message, color="never", severity="warning")
    return events.EngineEvent(sequence=0, timestamp=int(time.time()), diagnostic_event=said)


def _cancelled(error: automation.CommandError) -> str | None:
    """Return the message for a cancelled update, or None if it was not cancelled."""
    if not any(each in str(error) for each in _CANCELLED):
        return None
    return _CANCELLATION


def essence(error: automation.CommandError) -> str:
    """Return the lines of a failed command's output that mention an error."""
    lines = [line.strip() for line in str(error).splitlines()]
    mentions = [line.removeprefix("stderr: ").removeprefix("error: ") for line in lines if "error" in line.lower()]
    return "\n".join(mentions) or str(error)
