"""Runs a workflow of `.github/workflows/` as GitHub Actions does.

Sources: "Workflow syntax for GitHub Actions" (a `run` step with `shell: bash`, `needs`, `matrix`), "Default environment
variables", and "OpenID Connect reference" (the subject of a job in an environment; without `id-token: write` a job gets
no ID token).
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.checkout import ROOT
from tests.ci import expressions
from tests.ci.expressions import UnsupportedError
from tests.ci.machine import Machine

WORKFLOWS = ROOT / ".github" / "workflows"
REPOSITORY = "contoso/flights"
_BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail")
_JOB_KEYS = {
    "name", "if", "needs", "strategy", "environment", "concurrency", "runs-on", "timeout-minutes", "permissions", "env",
    "steps",
}  # fmt: skip


def load(name: str) -> dict[str, Any]:
    """Return a workflow. YAML 1.1 reads the key `on` as true."""
    content: dict[Any, Any] = yaml.safe_load((WORKFLOWS / name).read_text("utf-8"))
    return {("on" if key is True else key): value for key, value in content.items()}


@dataclass
class Workflow:
    """One run of a workflow.

    Attributes:
        machine: The machine of its jobs.
        name: The file.
        variables: The variables (`vars`) of each deployment environment.
        host: The variables of a runner that tell a job about the repository and the API.
        contexts: The values of the contexts `github` and `inputs`.
        matrix: The values of the matrix that run. Default: all.
        artifacts: The artifacts, by run id.
    """

    machine: Machine
    name: str
    variables: Mapping[str, Mapping[str, str]]
    host: Mapping[str, str] = field(default_factory=dict)
    contexts: Mapping[str, Any] = field(default_factory=dict)
    matrix: Mapping[str, list[str]] = field(default_factory=dict)

    def run(self) -> None:
        """Run the jobs, each after those that it needs."""
        content = load(self.name)
        done: dict[str, bool | None] = {}
        while len(done) < len(content["jobs"]):
            ready = [id for id, job in content["jobs"].items() if id not in done and self._ready(job, done)]
            if not ready:
                raise UnsupportedError(f"{self.name}: the jobs need each other in a circle")
            for id in ready:
                job = content["jobs"][id]
                if unknown := job.keys() - _JOB_KEYS:
                    raise UnsupportedError(f"{self.name}, {id}: {unknown}")
                needed = [done[each] for each in _list(job.get("needs"))]
                succeeded = all(each is True for each in needed)
                runs = expressions.github_holds(job.get("if"), self.contexts, succeeded)
                shell = content["defaults"]["run"]["shell"]
                results = [self._job(id, job, shell, each) for each in self._matrix(job)] if runs else []
                # None: it did not run.
                done[id] = all(results) if runs else None

    @staticmethod
    def _ready(job: Mapping[str, Any], done: Mapping[str, bool | None]) -> bool:
        return all(each in done for each in _list(job.get("needs")))

    def _matrix(self, job: Mapping[str, Any]) -> Iterator[dict[str, str]]:
        matrix = job.get("strategy", {}).get("matrix", {})
        chosen = {
            key: [each for each in values if each in self.matrix.get(key, values)] for key, values in matrix.items()
        }
        for values in itertools.product(*chosen.values()):
            yield dict(zip(chosen, values, strict=True))

    def _job(self, id: str, job: Mapping[str, Any], shell: str, matrix: Mapping[str, str]) -> bool:
        contexts = {**self.contexts, "matrix": matrix}
        environment = expressions.github(job.get("environment", ""), contexts)
        contexts["vars"] = self.variables.get(environment, {})
        permissions = job["permissions"]
        folder = self.machine.folder("runner", id, *matrix.values())
        variables = {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_JOB": id,
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
            "GITHUB_WORKSPACE": str(self.machine.clone.root),
            "RUNNER_OS": "Linux",
            "RUNNER_TEMP": str(folder),
            **self.host,
        }
        # Without an expression in `env`, a step does not see the token.
        variables.pop("GITHUB_TOKEN", None)
        if permissions.get("id-token") == "write":
            variables |= self.machine.azure.ci_job("github", f"repo:{REPOSITORY}:environment:{environment}")
        variables |= {name: expressions.github(value, contexts) for name, value in job.get("env", {}).items()}
        self.machine.begin()
        succeeded = True
        for number, step in enumerate(job["steps"], 1):
            if not expressions.github_holds(step.get("if"), contexts, succeeded):
                continue
            label = step.get("name", step.get("uses", f"step {number}"))
            if "uses" in step:
                given = step.get("with", {}).items()
                with_ = {name: expressions.github(_text(value), contexts) for name, value in given}
                self._action(step["uses"].partition("@")[0], with_, permissions)
                continue
            if step.keys() - {"name", "run"} or shell != "bash":
                raise UnsupportedError(f"{self.name}, {id}, {label}: {sorted(step)}")
            script = expressions.github(step["run"], contexts)
            executed = self.machine.run(f"{self.name}: {id}", label, script, _BASH, variables)
            succeeded = succeeded and executed.code == 0
        return succeeded

    def _action(self, name: str, with_: Mapping[str, str], permissions: Mapping[str, str]) -> None:
        root = self.machine.clone.root
        artifacts = self.machine.folder("artifacts", with_.pop("run-id", self.contexts["github"]["run_id"]))  # type: ignore[attr-defined]
        if name == "actions/checkout":
            assert permissions["contents"] in ("read", "write")
        elif name == "actions/upload-artifact":
            target = artifacts / with_["name"]
            for line in with_["path"].split():
                _copy(self.machine.file(line), target)
            found = any(target.rglob("*")) or with_["if-no-files-found"] == "ignore"
            assert found, f"no files were found for the artifact {with_['name']}"
        elif name == "actions/download-artifact":
            target = root / with_.get("path", ".")
            merged = with_.get("merge-multiple") == "true" or "name" in with_
            chosen = sorted(artifacts.glob(with_.get("name") or with_["pattern"]))
            assert chosen, f"the run has no artifact {with_}"
            for each in chosen:
                shutil.copytree(each, target if merged else target / each.name, dirs_exist_ok=True)
        else:
            raise UnsupportedError(f"the action {name}")


def _copy(source: Path, target: Path) -> None:
    """Copy a file, or what is in a folder."""
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    elif source.exists():
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def _text(value: str | bool | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _list(value: str | list[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else value or []
