"""The steps of the CI files that need no training, against dev on the local Azure, as CI's identities.

Steps that train, publish or release run in tests/long: main.yml, training.yml and both release.yml. So do those of
automl.yml, which deploy an example.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from amlite import SUBSCRIPTION_ID
from release.preview.document import Preview
from tests.ci.azure_pipelines import Pipeline
from tests.ci.github import Workflow
from tests.ci.machine import Machine
from tests.ci.platform import Platform as Stacks
from tests.e2e.conftest import Platform
from tests.hosts import azure_devops, github
from tests.hosts.azure_devops import FakeAzureDevOps
from tests.hosts.github import FakeGitHub

OTHERS = ("staging", "prod")
CLUSTER = (
    f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/rg-mlops-flights-dev-001/providers"
    "/Microsoft.MachineLearningServices/workspaces/mlw-mlops-flights-dev-001/computes/cpu-cluster"
)


@pytest.fixture(scope="module")
def stacks(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stacks]:
    platform.run("AMLITE_DOCKER=off make up STACK=dev AZURE=local TRAIN=no")
    yield Stacks(Machine(platform.clone, tmp_path_factory.mktemp("host")), ("dev",))
    platform.run("AMLITE_DOCKER=off make down STACK=dev AZURE=local")


@pytest.fixture
def change(stacks: Stacks) -> Iterator[None]:
    """Change the code of a component, as a pull request does."""
    file = stacks.machine.clone.root / "ml" / "train" / "src" / "train.py"
    before = file.read_text("utf-8")
    file.write_text(f"# {uuid.uuid4()}\n{before}", "utf-8")
    yield
    file.write_text(before, "utf-8")


def workflow(
    stacks: Stacks, name: str, host: FakeGitHub, head: str = github.REPOSITORY, fails: tuple[str, ...] = (),
    **inputs: str,
) -> list[str]:  # fmt: skip
    """Run a workflow for dev, in which some steps fail. Return the jobs that ran."""
    machine, before = stacks.machine, len(stacks.machine.executed)
    kind = "drift" if name == "drift.yml" else "preview"
    unchanged({stack: machine.folder("artifacts", "1581", f"{kind}-{stack}") for stack in OTHERS})
    pull_request = {"number": github.PULL_REQUEST, "head": {"repo": {"full_name": head}}}
    context = {
        "event": {"pull_request": pull_request},
        "repository": github.REPOSITORY,
        "run_id": "1581",
        "token": github.TOKEN,
    }
    Workflow(
        machine, name, stacks.variables, host.variables(machine.folder("event"), head),
        {"github": context, "inputs": inputs}, {"stack": ["dev"]},
    ).run()  # fmt: skip
    return ran(machine, before, fails)


def pipeline(stacks: Stacks, name: str, host: FakeAzureDevOps, reason: str, branch: str, **more: str) -> list[str]:
    """Run a pipeline for dev. Return the jobs that ran."""
    machine, before = stacks.machine, len(stacks.machine.executed)
    unchanged({stack: machine.folder("workspace", "1581", f"preview-{stack}") for stack in OTHERS})
    variables = host.variables(machine.folder("agent"), BUILD_REASON=reason, BUILD_SOURCEBRANCH=branch, **more)
    Pipeline(
        machine, name, stacks.groups, stacks.connections, variables, left_out=("preview_staging", "preview_prod")
    ).run()
    return ran(machine, before)


def unchanged(folders: Mapping[str, Path]) -> None:
    """Write the previews of the stacks whose jobs are left out."""
    for stack, folder in folders.items():
        (folder / f"{stack}.json").write_text(Preview(stack=stack, changes=[]).model_dump_json(), "utf-8")


def ran(machine: Machine, before: int, fails: tuple[str, ...] = ()) -> list[str]:
    """Return the jobs that ran, in order.

    Only the steps in `fails` may have failed. None may have printed an ID token, an access token or a host's token.
    """
    executed = machine.executed[before:]
    failed = [each for each in executed if each.code]
    shown = (f"{each.job}, {each.step}: {each.script}\n{each.output}" for each in failed)
    assert tuple(each.step for each in failed) == fails, "\n".join(shown)
    printed = "".join(each.output for each in executed)
    assert not [word for word in ("eyJ", github.TOKEN, azure_devops.TOKEN) if word in printed]
    return list(dict.fromkeys(each.job.partition(": ")[2] for each in executed))


@pytest.mark.usefixtures("change")
def test_a_pull_request_on_github_is_previewed_and_commented(stacks: Stacks) -> None:
    with FakeGitHub() as host:
        jobs = workflow(stacks, "pull-request.yml", host)
        assert jobs == ["lint", "test", "preview", "comment"]
        (comment,) = host.comments.values()
        assert "ml/train/src/train.py" in comment["body"]


def test_a_stack_whose_preview_cannot_sign_in_is_named_in_the_comment(
    stacks: Stacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(stacks.variables["dev-preview"], "AZURE_CLIENT_ID", str(uuid.UUID(int=0)))
    with FakeGitHub() as host:
        jobs = workflow(stacks, "pull-request.yml", host, fails=("Preview",))
        assert jobs == ["lint", "test", "preview", "comment"]
        (comment,) = host.comments.values()
        assert "## Preview: 1 of 3 stacks change" in comment["body"]
        assert "### `dev`: the preview failed" in comment["body"]


def test_a_pull_request_from_a_fork_asks_neither_azure_nor_the_host(stacks: Stacks) -> None:
    with FakeGitHub() as host:
        assert workflow(stacks, "pull-request.yml", host, head="somebody/flights") == ["lint", "test", "fork"]
        assert host.requests == []
    assert "::notice title=No preview::" in stacks.machine.executed[-1].output


@pytest.fixture
def drift(stacks: Stacks) -> Iterator[None]:
    """Change a cluster in Azure, as somebody does outside of Pulumi."""
    azure = stacks.machine.azure
    cluster = azure.arm("GET", CLUSTER).json()
    changed = copy.deepcopy(cluster)
    changed["properties"]["properties"]["scaleSettings"]["maxNodeCount"] = 9
    azure.put(CLUSTER, changed)
    yield
    azure.put(CLUSTER, cluster)


@pytest.mark.usefixtures("drift")
def test_drift_is_reported_in_one_issue(stacks: Stacks) -> None:
    with FakeGitHub() as host:
        assert workflow(stacks, "drift.yml", host) == ["preview", "report"]
        (issue,) = (each for each in host.issues.values() if "pull_request" not in each)
        assert "cpu-cluster" in issue["body"]


@pytest.mark.usefixtures("change")
def test_a_pull_request_on_azure_devops_is_previewed_and_commented(stacks: Stacks) -> None:
    with FakeAzureDevOps() as host:
        jobs = pipeline(stacks, "infrastructure.yml", host, "PullRequest", "refs/pull/22/merge")
        assert jobs == ["init.backend", "validate.lint", "validate.preview_dev", "validate.comment"]
        ((_, comment),) = host.shown().values()
        assert "ml/train/src/train.py" in comment


def test_main_is_deployed_and_compared_with_azure(stacks: Stacks) -> None:
    with FakeAzureDevOps() as host:
        jobs = pipeline(stacks, "infrastructure.yml", host, "BatchedCI", "refs/heads/main")
        assert jobs == ["init.backend", "validate.lint", "validate.preview_dev", "deploy.dev", "verify.dev"]
        assert host.requests == []


def test_a_build_of_a_fork_asks_neither_azure_nor_the_host(stacks: Stacks) -> None:
    with FakeAzureDevOps() as host:
        jobs = pipeline(
            stacks, "infrastructure.yml", host, "PullRequest", "refs/pull/22/merge", SYSTEM_PULLREQUEST_ISFORK="True"
        )
        assert jobs == ["init.fork", "validate.lint"]
        assert host.requests == []
