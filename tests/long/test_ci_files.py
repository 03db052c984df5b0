"""The CI files that train, publish and release, on both hosts, as CI's identities of three stacks."""

from __future__ import annotations

from pathlib import Path

from infra import NAMESPACE
from tests.checkout import Checkout, checkout
from tests.ci.azure_pipelines import Pipeline
from tests.ci.github import Workflow
from tests.ci.machine import Machine
from tests.ci.platform import Platform
from tests.hosts import github
from tests.hosts.azure_devops import FakeAzureDevOps
from tests.hosts.github import FakeGitHub

STACKS = ("dev", "staging", "prod")
REGISTRY = "ci-models"
SHARED = {"sharing.registry": REGISTRY, "sharing.resourceGroup": "rg-mlops-flights-dev-001"}
# Production's canary bakes for ten minutes at each step, for callers that are not here.
SETTINGS = {
    "dev": {"sharing.registry": REGISTRY, "sharing.create": "true"},
    "staging": SHARED,
    "prod": {**SHARED, "rollout.bakeSeconds": "1"},
}


def bring_up(clone: Checkout) -> None:
    """Bring up three stacks that share a registry, as an administrator does."""
    clone.run("make setup")
    clone.run("git add -A && git -c user.name=Ann -c user.email=ann@contoso.com commit --quiet -m Begin")
    for stack in STACKS:
        clone.run(f"AMLITE_DOCKER=off .venv/bin/amlite run -- .venv/bin/python -m bootstrap.local_stack fit {stack}")
        values = " ".join(f"--plaintext '{NAMESPACE}:{key}={value}'" for key, value in SETTINGS[stack].items())
        cwd = "--cwd .amlite/environments"
        pulumi = f".venv/bin/amlite run -- .venv/bin/pulumi {cwd}"
        if stack == "prod":
            clone.run(f"{pulumi} config rm -s {stack} --path '{NAMESPACE}:rollout.checks'")
        clone.run(f"{pulumi} config set-all -s {stack} --path {values}")
        clone.run(f".venv/bin/amlite run -- .venv/bin/release {cwd} up -s {stack} --no-train --no-doctor")


def on_github(platform: Platform, name: str, host: FakeGitHub, run_id: str, **inputs: str) -> None:
    machine = platform.machine
    variables = host.variables(machine.folder("event"), GITHUB_RUN_ID=run_id)
    context = {"repository": github.REPOSITORY, "run_id": run_id, "token": github.TOKEN}
    Workflow(machine, name, platform.variables, variables, {"github": context, "inputs": inputs}).run()


def on_azure_devops(platform: Platform, name: str, host: FakeAzureDevOps, build: str, **resources: str) -> None:
    machine = platform.machine
    variables = host.variables(
        machine.folder("agent"), BUILD_BUILDID=build, BUILD_REASON="BatchedCI", BUILD_SOURCEBRANCH="refs/heads/main"
    )
    Pipeline(machine, name, platform.groups, platform.connections, variables, resources).run()


def steps(machine: Machine, before: int) -> list[str]:
    """Return the steps that ran, each with its job. None of them may have failed or printed a token."""
    executed = machine.executed[before:]
    failed = [f"{each.job}, {each.step}: {each.script}\n{each.output}" for each in executed if each.code]
    assert not failed, "\n".join(failed)
    assert not [each.step for each in executed if "eyJ" in each.output]
    return [f"{each.job}: {each.step}" for each in executed if each.step != "Set up"]


def test_a_model_goes_from_main_to_production(tmp_path: Path) -> None:
    with checkout(tmp_path / "clone") as clone:
        bring_up(clone)
        platform = Platform(Machine(clone, tmp_path), STACKS)
        machine = platform.machine
        with FakeGitHub() as host:
            on_github(platform, "main.yml", host, "1")
            assert steps(machine, 0) == [f"main.yml: dev: {step}" for step in ("Deploy", "Train", "Publish")]
            before = len(machine.executed)
            on_github(platform, "release.yml", host, "2", **{"run-id": "1"})
            assert steps(machine, before) == ["release.yml: staging: Deploy", "release.yml: production: Deploy"]
            assert "flight-delay of stack prod serves" in machine.executed[-1].output
        before = len(machine.executed)
        with FakeAzureDevOps() as host:
            on_azure_devops(platform, "training.yml", host, "1581")
            on_azure_devops(platform, "release.yml", host, "1582", training="1581")
        assert steps(machine, before) == [
            *(f"training.yml: train.dev: {step}" for step in ("Deploy", "Train", "Publish the model")),
            "release.yml: staging.staging: Deploy",
            "release.yml: production.production: Deploy",
        ]
        clone.run(".venv/bin/amlite stop")
        assert clone.leftovers() == []
