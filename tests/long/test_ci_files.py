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

FILES = ".amlite/environments"
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
    commit(clone)


def commit(clone: Checkout) -> None:
    """Commit the stacks' files. Git ignores the folder of the local Azure."""
    files = " ".join(f"{FILES}/Pulumi.{stack}.yaml" for stack in STACKS)
    clone.run(f"git add -f {files} && git -c user.name=Ann -c user.email=ann@contoso.com commit --quiet -m Configure")


def push(clone: Checkout, host: FakeGitHub | FakeAzureDevOps) -> None:
    """Let the host have the stacks' files on main."""
    paths = [f"{FILES}/Pulumi.{stack}.yaml" for stack in STACKS]
    host.git.push("main", {path: (clone.root / path).read_text("utf-8") for path in paths})


def merge(machine: Machine, host: FakeGitHub, number: int) -> None:
    """Merge a pull request on the host, and check it out."""
    host.pulls.end(number)
    for path, text in host.git.files("main").items():
        (machine.clone.root / path).write_text(text, "utf-8")
    machine.keep()
    commit(machine.clone)


def proposed(host: FakeGitHub | FakeAzureDevOps) -> list[str]:
    """Return the titles of the pull requests that are open."""
    requests = host.pulls.requests.values()
    return [each["title"] for each in requests if each.get("state", each.get("status")) in ("open", "active")]


def on_github(platform: Platform, name: str, host: FakeGitHub, run_id: str, **inputs: str) -> None:
    machine = platform.machine
    variables = host.variables(machine.folder("event"), GITHUB_RUN_ID=run_id, GITHUB_REF="refs/heads/main")
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
        main = [
            *(f"main.yml: dev: {step}" for step in ("Deploy", "Train", "Gate", "Publish")),
            "main.yml: propose: Propose",
        ]
        with FakeGitHub() as host:
            push(clone, host)
            on_github(platform, "main.yml", host, "1")
            assert steps(machine, 0) == main
            assert proposed(host) == ["Update the models of dev"]
            before = len(machine.executed)
            on_github(platform, "release.yml", host, "2", **{"run-id": "1"})
            assert steps(machine, before) == [
                "release.yml: staging: Deploy",
                "release.yml: propose-staging: Propose",
                "release.yml: production: Deploy",
                "release.yml: propose-production: Propose",
            ]
            assert proposed(host) == ["Update the models of dev, prod and staging"]
            # Only dev's file is checked out, so that the other host has something to propose.
            (number,) = host.pulls.requests
            merge(machine, host, number)
            clone.run(f"git checkout --quiet HEAD~1 -- {FILES}/Pulumi.staging.yaml {FILES}/Pulumi.prod.yaml")
            machine.keep()
            commit(clone)
            before = len(machine.executed)
            on_github(platform, "main.yml", host, "3")
            assert steps(machine, before) == main
            train = next(each for each in machine.executed[before:] if each.step == "Train")
            assert "Not trained: nothing that the pipeline uses has changed since job" in train.output
            assert "Pulumi.dev.yaml has no change to propose." in machine.executed[-1].output
            assert proposed(host) == []
        before = len(machine.executed)
        with FakeAzureDevOps() as other:
            push(clone, other)
            on_azure_devops(platform, "training.yml", other, "1581")
            on_azure_devops(platform, "release.yml", other, "1582", training="1581")
            assert proposed(other) == ["Update the models of prod and staging"]
        assert steps(machine, before) == [
            *(f"training.yml: train.dev: {step}" for step in ("Deploy", "Train", "Gate", "Publish the model")),
            "training.yml: train.propose: Propose",
            "release.yml: staging.staging: Deploy",
            "release.yml: staging.propose: Propose",
            "release.yml: production.production: Deploy",
            "release.yml: production.propose: Propose",
        ]
        clone.run(".venv/bin/amlite stop")
        assert clone.leftovers() == []
