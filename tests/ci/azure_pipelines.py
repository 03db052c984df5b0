"""Runs a pipeline of `.azuredevops/` as Azure Pipelines does.

Sources: "YAML schema reference for Azure Pipelines", "Use predefined variables", "Define variables" (each variable is
an environment variable of a script, in capitals and with `_` for `.`; secrets are not), "Logging commands", and the
tasks `Bash` and `AzureCLI` of microsoft/azure-pipelines-tasks: a script that fails in the middle goes on, unless it
says `set -e`. Azure DevOps issues ID tokens only to a stage with a task that names the service connection
(dotnet/docker-tools#2012).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from amlite import TENANT_ID
from tests.checkout import ROOT
from tests.ci import expressions
from tests.ci.expressions import UnsupportedError
from tests.ci.machine import Machine

PIPELINES = ROOT / ".azuredevops"
_BASH = ("bash", "--noprofile", "--norc")
_JOB_KEYS = {
    "job", "deployment", "displayName", "dependsOn", "condition", "environment", "timeoutInMinutes", "variables",
    "strategy", "steps",
}  # fmt: skip
_TASK_INPUTS = {"azureSubscription", "scriptType", "scriptLocation", "inlineScript"}
# What a script may tell the agent. The files set no variables.
_COMMANDS = ("##vso[task.logissue ", "##vso[task.uploadsummary]")


@dataclass(frozen=True)
class Connection:
    """A service connection with workload identity federation."""

    issuer: str
    subject: str
    client_id: str


def load(name: str) -> dict[str, Any]:
    """Return a pipeline, or a template."""
    content: dict[str, Any] = yaml.safe_load((PIPELINES / name).read_text("utf-8"))
    return content


def steps_of(job: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the steps of a job or a deployment job, with those of its templates."""
    steps = job["strategy"]["runOnce"]["deploy"]["steps"] if "deployment" in job else job["steps"]
    return list(_expanded(steps))


def _expanded(steps: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for step in steps:
        if "template" not in step:
            yield step
            continue
        template, given = load(step["template"]), step.get("parameters", {})
        if {each["name"] for each in template["parameters"]} != set(given):
            raise UnsupportedError(f"the parameters of {step['template']}: {given}")
        yield from _expanded(expressions.with_parameters(template["steps"], given))


@dataclass
class Pipeline:
    """One run of a pipeline.

    Attributes:
        machine: The machine of its jobs.
        name: The file.
        groups: The variable groups.
        connections: The service connections.
        host: The predefined variables, by their names in scripts.
        resources: The folder with the artifacts of each pipeline in `resources`.
        left_out: Jobs that do not run, because they do the same for another stack.
    """

    machine: Machine
    name: str
    groups: Mapping[str, Mapping[str, str]]
    connections: Mapping[str, Connection]
    host: Mapping[str, str]
    resources: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    def run(self) -> None:
        """Run the stages one after another, and the jobs of each after those that they depend on."""
        self.workspace = self.machine.folder("workspace", self.host["BUILD_BUILDID"])
        succeeded = True
        for stage in load(self.name)["stages"]:
            succeeded = self._holds(stage, succeeded)
            if succeeded:
                succeeded = self._stage(stage)

    def _holds(self, part: Mapping[str, Any], succeeded: bool) -> bool:
        # Predefined variables have dots in conditions, and underscores in scripts.
        names = {"Build.Reason", "Build.SourceBranch", "System.PullRequest.IsFork"}
        variables = {name: self.host.get(name.upper().replace(".", "_"), "") for name in names}
        return expressions.condition(part.get("condition", "succeeded()"), variables, succeeded)

    def _stage(self, stage: Mapping[str, Any]) -> bool:
        done: dict[str, bool] = {}
        failed = False
        for job in stage["jobs"]:
            if unknown := job.keys() - _JOB_KEYS:
                raise UnsupportedError(f"{self.name}: {unknown}")
            id = job.get("job") or job["deployment"]
            if id in self.left_out:
                done[id] = True
                continue
            # The files list each job after those that it depends on.
            needed = job.get("dependsOn", [])
            needed = [needed] if isinstance(needed, str) else needed
            done[id] = self._holds(job, all(done[each] for each in needed))
            if done[id]:
                done[id] = self._job(f"{self.name}: {stage['stage']}.{id}", stage["stage"], job)
                failed = failed or not done[id]
        return not failed

    def _job(self, label: str, stage: str, job: Mapping[str, Any]) -> bool:
        steps = steps_of(job)
        named = {each["inputs"]["azureSubscription"] for each in steps if each.get("task") == "AzureCLI@2"}
        if len(named) > 1:
            raise UnsupportedError(f"{label}: more than one service connection")
        variables = {
            **self.host,
            "AGENT_TEMPDIRECTORY": str(self.machine.folder("agent")),
            "BUILD_SOURCESDIRECTORY": str(self.machine.clone.root),
            "PIPELINE_WORKSPACE": str(self.workspace),
            "SYSTEM_STAGENAME": stage,
            "TF_BUILD": "True",
        }
        # A secret is an environment variable only where a step names it.
        secrets = {"System.AccessToken": variables.pop("SYSTEM_ACCESSTOKEN", "")}
        for group in job.get("variables", []):
            variables |= self.groups[group["group"]]
        task: dict[str, str] = {}
        for name in named:
            connection = self.connections[name]
            given = self.machine.azure.ci_job("azureDevOps", connection.subject, issuer=connection.issuer)
            secrets["System.AccessToken"] = given.pop("SYSTEM_ACCESSTOKEN")
            id = given.pop("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID")
            task = {
                "AZURESUBSCRIPTION_CLIENT_ID": connection.client_id,
                "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": id,
                "AZURESUBSCRIPTION_TENANT_ID": TENANT_ID,
            }
            variables |= given
        self.machine.begin()
        succeeded = True
        for step in steps:
            if self._holds(step, succeeded):
                succeeded = self._step(label, step, variables, secrets, task) and succeeded
        return succeeded

    def _step(
        self, label: str, step: Mapping[str, Any], variables: Mapping[str, str], secrets: Mapping[str, str],
        task: Mapping[str, str],
    ) -> bool:  # fmt: skip
        name = step.get("displayName", "checkout")
        if "script" in step:
            script, extra = step["script"], {}
        elif step.get("task") == "AzureCLI@2":
            inputs = step["inputs"]
            if inputs.keys() != _TASK_INPUTS or (inputs["scriptType"], inputs["scriptLocation"]) != (
                "bash",
                "inlineScript",
            ):
                raise UnsupportedError(f"{label}, {name}: {inputs}")
            script, extra = inputs["inlineScript"], dict(task)
        else:
            self._keyword(step)
            return True
        runs = {f"resources.pipeline.{name}.runID": id for name, id in self.resources.items()}
        known = {**secrets, **runs}
        environment = {each: expressions.macros(value, known) for each, value in step.get("env", {}).items()}
        script = expressions.macros(script, {})
        executed = self.machine.run(label, name, script, _BASH, {**variables, **extra, **environment})
        for line in executed.output.splitlines():
            if line.startswith("##vso[") and not line.startswith(_COMMANDS):
                raise UnsupportedError(line)
        return executed.code == 0

    def _keyword(self, step: Mapping[str, Any]) -> None:
        if step.get("checkout") in ("self", "none") or step.get("download") == "none":
            return
        if "publish" in step:
            source, target = self.machine.file(step["publish"]), self.workspace / step["artifact"]
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            else:
                target.mkdir(exist_ok=True)
                shutil.copy2(source, target)
        elif step.get("download") == "current":
            wanted = step.get("artifact") or step["patterns"]
            assert list(self.workspace.glob(wanted)), f"the run has no artifact {wanted}"
        elif step.get("download") in self.resources:
            artifact = step["artifact"]
            source = self.machine.folder("workspace", self.resources[step["download"]]) / artifact
            shutil.copytree(source, self.workspace / step["download"] / artifact, dirs_exist_ok=True)
        else:
            raise UnsupportedError(str(step))
