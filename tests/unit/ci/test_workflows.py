"""What a CI file may be: least permissions, pinned actions, no secret, no logic, and only commands that exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import click
import pytest
import yaml

from infra.settings.access import GitHubSubject
from release.cli import main as release
from tests.checkout import ROOT
from tests.ci import azure_pipelines, github
from tests.ci.machine import REPLACED
from tests.documentation import MAKEFILES

WORKFLOWS = sorted(path.name for path in github.WORKFLOWS.iterdir())
PIPELINES = sorted(path.name for path in azure_pipelines.PIPELINES.glob("*.yml"))
TEMPLATES = sorted(path.name for path in (azure_pipelines.PIPELINES / "steps").iterdir())
FILES = [
    *(github.WORKFLOWS / name for name in WORKFLOWS),
    *(azure_pipelines.PIPELINES / name for name in PIPELINES),
    *(azure_pipelines.PIPELINES / "steps" / name for name in TEMPLATES),
]
PROPOSE = {"contents": "write", "pull-requests": "write"}
# What each job may do beyond reading the repository, and why.
PERMISSIONS = {
    "automl.yml: apply": {"id-token": "write"},
    "drift.yml: preview": {"id-token": "write"},
    "drift.yml: report": {"issues": "write"},
    "main.yml: dev": {"id-token": "write"},
    "main.yml: propose": PROPOSE,
    "pull-request.yml: comment": {"pull-requests": "write"},
    "pull-request.yml: preview": {"id-token": "write"},
    "release.yml: propose-production": PROPOSE,
    "release.yml: propose-staging": PROPOSE,
    "release.yml: production": {"actions": "read", "id-token": "write"},
    "release.yml: staging": {"actions": "read", "id-token": "write"},
}
PROGRAMS = (".venv/bin/release", "echo", "make", "mkdir", "set")


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for name in WORKFLOWS:
        for id, job in github.load(name)["jobs"].items():
            yield f"{name}: {id}", job


def deployments() -> Iterator[tuple[str, dict[str, Any]]]:
    for name in PIPELINES:
        for stage in azure_pipelines.load(name)["stages"]:
            for job in stage["jobs"]:
                yield f"{name}: {stage['stage']}.{job.get('job') or job['deployment']}", job


def scripts() -> Iterator[tuple[str, str]]:
    """Yield every shell script of every file, with the name of a stack for each expression and macro."""
    for label, job in jobs():
        for step in job["steps"]:
            if "run" in step:
                yield label, step["run"]
    for label, job in deployments():
        for step in azure_pipelines.steps_of(job):
            script = step.get("script") or step.get("inputs", {}).get("inlineScript")
            if script:
                yield label, script


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield the words of every command of every script."""
    for label, script in scripts():
        for line in script.replace("\\\n", " ").strip().splitlines():
            words = shlex.split(line)
            if ">" in words:
                words = words[: words.index(">")]
            yield label, words


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_a_file_is_short_says_what_it_is_for_and_has_no_secret(file: Any) -> None:
    text = file.read_text("utf-8")
    assert text.startswith("# ")
    assert len(text.splitlines()) < 200
    assert "secrets" not in text
    assert not re.search(r"(?i)(password|passphrase|client_?secret|access_?key|\bpat\b)\s*[:=]", text)
    # A GUID would be an identity's, and something in base64 a secret. The digits of a pinned action are neither.
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}", text)
    assert all(
        re.fullmatch("[0-9a-f]{40}", word) for word in re.findall(r"[A-Za-z0-9+/=]{40,}", text) if "/" not in word
    )


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_waits_for_its_earlier_runs_and_has_no_permission_itself(name: str) -> None:
    workflow = github.load(name)
    assert workflow["permissions"] == {}
    assert workflow["concurrency"]["group"]
    # Only those that change nothing in Azure may be stopped in the middle.
    assert workflow["concurrency"]["cancel-in-progress"] is (name in ("pull-request.yml", "release-demo.yml"))
    assert workflow["defaults"] == {"run": {"shell": "bash"}}


def test_a_job_has_the_least_permissions_and_an_end() -> None:
    for label, job in jobs():
        reads = {"contents": "read"} if any("checkout" in step.get("uses", "") for step in job["steps"]) else {}
        assert job["permissions"] == reads | PERMISSIONS.get(label, {}), label
        assert job["timeout-minutes"] <= 360, label
        assert job["runs-on"] == "ubuntu-24.04", label
        # The subject of the token is the environment, so an identity trusts one environment.
        assert ("environment" in job) == ("id-token" in job["permissions"]), label


def test_a_job_that_can_deploy_is_alone_on_its_stack() -> None:
    for label, job in jobs():
        environment = job.get("environment", "-preview")
        if not environment.endswith("-preview"):
            assert job["concurrency"] == f"stack-{environment}", label


def test_actions_are_githubs_own_and_pinned_with_the_version_in_a_comment() -> None:
    pinned: dict[str, set[str]] = {}
    for name in WORKFLOWS:
        text = (github.WORKFLOWS / name).read_text("utf-8")
        lines = [line.strip() for line in text.splitlines() if "uses:" in line]
        for line in lines:
            found = re.fullmatch(r"- uses: (actions/[a-z-]+)@([0-9a-f]{40} # v\d+\.\d+\.\d+)", line)
            assert found, line
            pinned.setdefault(found[1], set()).add(found[2])
        for job in github.load(name)["jobs"].values():
            for step in job["steps"]:
                if step.get("uses", "").startswith("actions/checkout@"):
                    assert step["with"] == {"persist-credentials": False}
    assert {action: len(versions) for action, versions in pinned.items()} == dict.fromkeys(pinned, 1)
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text("utf-8"))["updates"]
    assert [each["package-ecosystem"] for each in updates] == ["github-actions"]


def test_pipelines_have_shell_steps_and_the_task_that_signs_them_in() -> None:
    """Row 18 of docs/user-pains.md: a marketplace task that is gone breaks the pipeline.

    AzureCLI@2 is one of Azure Pipelines' own tasks. A stage without a task that names the service connection gets no
    ID token for it (dotnet/docker-tools#2012), so a `script` step alone cannot sign in.
    """
    for label, job in deployments():
        for step in azure_pipelines.steps_of(job):
            kind = next(key for key in step if key in ("checkout", "download", "publish", "script", "task"))
            assert kind != "task" or step["task"] == "AzureCLI@2", label
            signs_in = "ci-login" in str(step)
            assert signs_in == (kind == "task"), label
            if signs_in:
                run = {"TRAINING_RUN": "$(resources.pipeline.training.runID)"} if "TRAINING_RUN" in str(step) else {}
                assert step["env"] == {"SYSTEM_ACCESSTOKEN": "$(System.AccessToken)", **run}
            script = step.get("script") or step.get("inputs", {}).get("inlineScript", "")
            # A script goes on after a command that failed, unless it says that it does not.
            assert len(script.strip().replace("\\\n", " ").splitlines()) < 2 or script.startswith("set -euo pipefail\n")
        assert 0 < int(job["timeoutInMinutes"]) <= 360, label


def test_every_template_and_every_program_that_a_file_names_is_there() -> None:
    """Row 19 of docs/user-pains.md: a file refers to a template or a script that does not exist."""
    named = {
        step["template"]
        for _, job in deployments()
        for step in job.get("steps", [])
        if "template" in step
    }  # fmt: skip
    assert named == {f"steps/{name}" for name in TEMPLATES}
    makefiles = "\n".join(each.read_text("utf-8") for each in MAKEFILES)
    targets = re.findall(r"^\.PHONY: ([\w-]+)$", makefiles, re.MULTILINE)
    for label, words in commands():
        assert words[0] in PROGRAMS, label
        if words[0] == "make":
            assert words[1:] == [words[1]], label
            assert words[1] in targets, label
            assert " ".join(words) in REPLACED, label


def test_every_command_and_option_of_the_release_exists() -> None:
    seen = set()
    for label, words in commands():
        starts = [place for place, word in enumerate(words) if word == ".venv/bin/release"]
        for start in starts:
            name, *arguments = words[start + 1 :]
            command = release.get_command(click.Context(release), name)
            assert command is not None, f"{label}: {name}"
            with command.make_context(name, arguments, resilient_parsing=False):
                seen.add(name)
    assert seen >= {"ci-login", "comment", "deploy", "doctor", "gate", "preview", "propose", "publish", "train", "up"}


def test_who_deploys_does_not_write_to_the_repository() -> None:
    for label, job in jobs():
        assert job["permissions"].get("contents") != "write" or "id-token" not in job["permissions"], label


def test_who_deploys_is_trusted_by_the_stack_and_who_previews_is_not() -> None:
    """A pull request can change the workflow that runs for it, so its identity must not be the one that deploys."""
    for stack in ("dev", "staging", "prod"):
        config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text("utf-8"))["config"]
        trusted = [GitHubSubject.model_validate(each) for each in config["azureml-platform:identities"]["github"]]
        assert [each.environment for each in trusted] == [stack]
    assert github.load("pull-request.yml")["jobs"]["preview"]["environment"] == "${{ matrix.stack }}-preview"


def test_previews_of_all_stacks_are_the_same_steps() -> None:
    """The end-to-end test runs them for one stack."""
    stages = azure_pipelines.load("infrastructure.yml")["stages"]
    validate = {job["job"]: job for stage in stages if stage["stage"] == "validate" for job in stage["jobs"]}
    by_stack = [
        str({**validate[f"preview_{stack}"], "steps": azure_pipelines.steps_of(validate[f"preview_{stack}"])}).replace(
            stack, "STACK"
        )
        for stack in ("dev", "staging", "prod")
    ]
    assert len({*by_stack}) == 1
    for name in ("pull-request.yml", "drift.yml"):
        assert github.load(name)["jobs"]["preview"]["strategy"]["matrix"] == {"stack": ["dev", "staging", "prod"]}


def test_a_comment_and_a_report_name_the_file_of_every_stack() -> None:
    """A pattern would not match a file that was not written, and the stack would be missing without a word."""
    named = [
        sorted(re.findall(r"(\w+)\.json", " ".join(words)))
        for _, words in commands()
        if words[1:2] in (["comment"], ["report-drift"])
    ]
    assert named == [["dev", "prod", "staging"]] * 3


@pytest.mark.attack
def test_a_release_comes_from_a_run_that_deploys_check() -> None:
    """The artifact of a pull request can have the name of a release."""
    steps = [
        *(step["run"] for job in github.load("release.yml")["jobs"].values() for step in job["steps"] if "run" in step),
        *(str(step) for _, job in deployments() for step in azure_pipelines.steps_of(job)),
    ]
    deploying = [each for each in steps if "release deploy" in each]
    assert len(deploying) == 4
    assert all("--run " in each for each in deploying)


@pytest.mark.attack
def test_no_artifact_is_unpacked_over_the_checkout() -> None:
    """An artifact of another run could replace .venv/bin/release, which the job then runs with its identity."""
    folders = [
        step.get("with", {}).get("path")
        for file in sorted(github.WORKFLOWS.glob("*.yml"))
        for job in github.load(file.name)["jobs"].values()
        for step in job["steps"]
        if step.get("uses", "").startswith("actions/download-artifact@")
    ]
    assert len(folders) >= 6
    tracked = {path.name for path in ROOT.iterdir()}
    assert all(each and re.fullmatch(r"[a-z]+", each) and each not in tracked for each in folders), folders
