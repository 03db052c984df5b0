"""The example automl-container: as `make example` runs it, as CI deploys it, and with a task that lacks its role."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from amlite import SUBSCRIPTION_ID, TENANT_ID
from amlite.testing import LocalAzure
from tests.checkout import Checkout, checkout
from tests.ci.github import Workflow
from tests.ci.machine import Machine
from tests.hosts import github
from tests.hosts.github import FakeGitHub

UP = "make example NAME=automl-container"
DOWN = "make example-down NAME=automl-container"
GROUP = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/rg-mlops-automl-dev-001"
WORKSPACE = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/mlw-mlops-automl-dev-001"
IDENTITIES = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
IDENTITY_VERSION = "2023-01-31"
ROLE_VERSION = "2022-04-01"
CONFIGS = "examples/automl-container/ml/environments/tasks/configs"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Checkout, str]]:
    """Run the example in a clone, and destroy it at the end."""
    with checkout(tmp_path_factory.mktemp("clone")) as clone:
        printed = clone.run(UP)
        yield clone, printed
        clone.run(DOWN)
        assert clone.leftovers() == []


def test_the_pipeline_serves_the_best_model_of_the_leaderboard(up: tuple[Checkout, str]) -> None:
    _, printed = up
    assert "shift_traffic: Completed" in printed
    assert 'prediction        ["barolo", "grignolino", "barbera"]' in printed
    assert "cannot sign in as managed identity '00000000-0000-0000-0000-000000000000'" in printed
    assert "no changes" in printed


def test_ci_builds_a_changed_image_and_applies_the_schedule(up: tuple[Checkout, str], tmp_path: Path) -> None:
    clone, _ = up
    machine = Machine(clone, tmp_path)
    client = machine.azure.arm("GET", f"{IDENTITIES}/id-mlops-automl-dev-001-ci", version=IDENTITY_VERSION).json()
    variables = {
        "AZURE_CLIENT_ID": client["properties"]["clientId"],
        "AZURE_TENANT_ID": TENANT_ID,
        "PULUMI_BACKEND_URL": machine.backend,
    }
    tracked = clone.root / "examples" / "automl-container" / "Pulumi.dev.yaml"
    before = tracked.read_bytes()
    # On a subscription, the tracked file has the real ids.
    shutil.copyfile(clone.state / "examples" / "automl-container" / "Pulumi.dev.yaml", tracked)
    job = clone.root / CONFIGS / "automl-job.yml"
    job.write_text(job.read_text("utf-8").replace("max_trials: ", "max_trials: 1"), "utf-8")
    with FakeGitHub() as host:
        context = {"repository": github.REPOSITORY, "run_id": "1", "token": github.TOKEN}
        there = host.variables(machine.folder("event"), GITHUB_RUN_ID="1")
        environments = {"automl-container-dev": variables}
        Workflow(machine, "automl.yml", environments, there, {"github": context, "inputs": {}}).run()
    tracked.write_bytes(before)
    failed = [each.output for each in machine.executed if each.code]
    assert not failed, "\n".join(failed)
    _, applied, jobs = machine.executed
    assert "image-tasks" in applied.output
    assert "schedule-wine-cultivars-weekly" in applied.output
    assert "automl-in-a-container" in jobs.output


def test_a_task_that_may_not_do_its_work_fails_the_pipeline_and_make(up: tuple[Checkout, str]) -> None:
    clone, _ = up
    azure = LocalAzure(clone.state)
    cluster = azure.arm("GET", f"{IDENTITIES}/id-mlops-automl-dev-001-cluster", version=IDENTITY_VERSION).json()
    below = f"{WORKSPACE}/providers/Microsoft.Authorization/roleAssignments"
    listed = azure.arm("GET", below, version=ROLE_VERSION).json()["value"]
    principal = cluster["properties"]["principalId"]
    (assigned,) = (
        each["id"] for each in listed
        if each["properties"]["principalId"] == principal and each["id"].startswith(below)
    )  # fmt: skip
    azure.remove(assigned, ROLE_VERSION)
    printed = clone.run(UP, expect=2)
    assert "prepare_data: Failed" in printed
    lines = [each.strip() for each in printed.splitlines()]
    # The reason of the step, and the end of its log.
    said = [each for each in lines if each.startswith("prepare_data: (AuthorizationFailed)")]
    assert said[-1].endswith("Fix: give the cluster's identity the role that task_access.py defines.")
    assert "Traceback" not in printed
