"""The steps of an acceptance run. Each step runs the same commands that a user runs, and checks the result."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra import NAMESPACE
from infra.outputs import StackOutputs, parse

_BIN = Path(sys.executable).parent
# Parts of a deployment's name in Azure: the name in its file, and the start of its content hash.
_DEPLOYMENT = re.compile(r"(?P<name>.+)-[0-9a-f]{8}")
_LEVELS = ("problem", "warning")
# Refuses a deployment that has half of the traffic.
_REFUSES = 'test "$TRAFFIC_PERCENT" -lt 50'


class StepError(Exception):
    """A step did not observe what the platform promises."""


@dataclass
class Run:
    """A stack in its own project folder. Its stack file is a copy, so no tracked file changes.

    Attributes:
        stack: Name of the stack.
        folder: Has Pulumi.yaml and the stack's file.
        printed: Output of the commands of the current step.
    """

    stack: str
    folder: Path
    printed: list[str] = field(default_factory=list)

    def command(self, *words: str, expect: int | None = 0) -> str:
        """Run a program of the project's environment, and return what it printed to standard output.

        Raises:
            StepError: It ended with another exit code than `expect`, unless that is None.
        """
        shown = " ".join(words)
        self.printed.append(f"$ {shown}\n")
        command = [str(_BIN / words[0]), *words[1:]]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        self.printed += [done.stdout, done.stderr]
        if expect is not None and done.returncode != expect:
            raise StepError(f"`{shown}` ended with code {done.returncode} instead of {expect}")
        return done.stdout

    def release(self, command: str, *words: str, expect: int | None = 0) -> str:
        """Run one of the release's commands on the stack."""
        return self.command("release", "--cwd", str(self.folder), command, "--stack", self.stack, *words, expect=expect)

    def configure(self, key: str, value: str) -> None:
        """Set a value in the stack's file."""
        self.command("pulumi", "config", "set", "--stack", self.stack, "--path", "--", f"{NAMESPACE}:{key}", value)

    def outputs(self) -> StackOutputs:
        """Return the outputs of the stack."""
        return parse(json.loads(self.command("pulumi", "stack", "output", "--json", "--stack", self.stack)))

    def resources(self) -> list[dict[str, Any]]:
        """Return the resources in the stack's state that exist in Azure."""
        state = json.loads(self.command("pulumi", "stack", "export", "--stack", self.stack))
        found: list[dict[str, Any]] = (state.get("deployment") or {}).get("resources") or []
        return [each for each in found if each.get("custom") and not each["type"].startswith("pulumi:")]

    def changes(self, *words: str) -> list[dict[str, Any]]:
        """Return the changes of a preview."""
        found: list[dict[str, Any]] = json.loads(self.release("preview", "--output", "json", *words))["changes"]
        return found

    def serving(self) -> dict[str, str]:
        """Return the online endpoints that have a deployment, and the name in Azure of the one with the traffic."""
        online = {name: each.deployment for name, each in self.outputs().endpoints.items() if each.kind == "online"}
        return {name: deployment for name, deployment in online.items() if deployment}


@dataclass(frozen=True)
class Step:
    """A step: its name, what it does, and whether it also runs after a failure."""

    name: str
    run: Callable[[Run], str]
    always: bool = False


def _doctor(run: Run) -> str:
    findings = json.loads(run.release("doctor", "--output", "json", expect=None))["findings"]
    found = {level: "; ".join(each["what"] for each in findings if each["level"] == level) for level in _LEVELS}
    if found["problem"]:
        raise StepError(found["problem"])
    return f"{len(findings)} checks, warnings: {found['warning'] or 'none'}"


def _up(run: Run) -> str:
    run.release("up")
    return f"{len(run.resources())} resources; {_described(run.serving())}"


def _unchanged(run: Run) -> str:
    _none(run.changes(), "a preview right after the update plans changes")
    return "no changes"


def _no_drift(run: Run) -> str:
    _none(run.changes("--refresh"), "a refresh right after the update sees changes that nobody made")
    run.command("pulumi", "refresh", "--yes", "--skip-preview", "--expect-no-changes", "--stack", run.stack)
    return "no changes"


def _train(run: Run) -> str:
    return " ".join(run.release("train").strip().splitlines()[-2:])


def _rollout(run: Run) -> str:
    """Roll out with all the traffic in one step. A new variable causes a new deployment."""
    before = run.serving()
    _with_variable(run, before, "first")
    run.configure("rollout.steps[0]", "100")
    run.release("up")
    return _moved(run, before)


def _refused_canary(run: Run) -> str:
    """Let a check refuse the new deployment at half of the traffic. The old one must have all of it again."""
    before = run.serving()
    for number, percent in enumerate(("10", "50", "100")):
        run.configure(f"rollout.steps[{number}]", percent)
    for number, word in enumerate(("sh", "-c", _REFUSES)):
        run.configure(f"rollout.checks.command[{number}]", word)
    _with_variable(run, before, "second")
    run.release("up", expect=1)
    _score(run, before)
    drifted = [each["name"] for each in run.changes("--refresh") if each["drifted"]]
    if drifted or run.serving() != before:
        raise StepError(f"the traffic did not return to {_described(before)}; drift: {', '.join(drifted) or 'none'}")
    return f"refused at 50 %, the traffic is back: {_described(before)}"


def _canary(run: Run) -> str:
    """Roll the same deployment out in steps, with a check that accepts it."""
    before = run.serving()
    run.configure("rollout.checks.command[2]", "exit 0")
    run.release("up")
    return _moved(run, before)


def _destroy(run: Run) -> str:
    count = len(run.resources())
    run.release("down", "--purge", "--yes")
    left = run.resources()
    if left:
        raise StepError(
            f"{len(left)} resources are left: {', '.join(each['urn'].rpartition('::')[2] for each in left)}"
        )
    return f"{count} resources deleted"


STEPS = (
    Step("doctor", _doctor),
    Step("up", _up),
    Step("preview without changes", _unchanged),
    Step("refresh without changes", _no_drift),
    Step("train", _train),
    Step("rollout", _rollout),
    Step("canary that is refused", _refused_canary),
    Step("canary", _canary),
    Step("destroy", _destroy, always=True),
)


def _none(changes: list[dict[str, Any]], problem: str) -> None:
    if changes:
        named = (f"{each['operation']} {each['name']} ({_keys(each)})" for each in changes)
        raise StepError(f"{problem}: {', '.join(named)}")


def _keys(change: dict[str, Any]) -> str:
    return ", ".join(each["key"] for each in change["keys"]) or "no key differs"


def _with_variable(run: Run, serving: dict[str, str], value: str) -> None:
    for endpoint, live in serving.items():
        found = _DEPLOYMENT.fullmatch(live)
        name = found["name"] if found else live
        path = f'overrides.endpoints["{endpoint}"].deployments["{name}"].environmentVariables.ACCEPTANCE'
        run.configure(path, value)


def _moved(run: Run, before: dict[str, str]) -> str:
    after = run.serving()
    stayed = [name for name in before if after.get(name) in (None, before[name])]
    if stayed:
        raise StepError(f"no new deployment took over on {', '.join(stayed)}")
    _score(run, after)
    return _described(after)


def _score(run: Run, serving: dict[str, str]) -> None:
    for endpoint in serving:
        run.release("score", endpoint)


def _described(serving: dict[str, str]) -> str:
    return ", ".join(f"{name} serves {deployment}" for name, deployment in serving.items()) or "no endpoint serves"
