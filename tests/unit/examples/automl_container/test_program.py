"""What the example's program declares: the endpoint, the schedule, the image, and the roles of the tasks."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pulumi
import pytest
import yaml

from tests.unit.infra.deployed import Deployment, deploy

EXAMPLE = Path(__file__).resolve().parents[4] / "examples" / "automl-container"
ML = "Microsoft.MachineLearningServices/workspaces"


def load(path: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((EXAMPLE / path).read_text("utf-8"))
    return content


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    return deploy("dev", project="automl-container", folder=EXAMPLE)


@pytest.fixture
def task_access(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    return importlib.import_module("task_access")


def test_the_stack_declares_the_endpoint_and_leaves_its_deployments_to_the_tasks(deployment: Deployment) -> None:
    (endpoint,) = (each for each in deployment.resources if each.type.endswith("azureml:OnlineEndpoint"))
    assert (endpoint.inputs.get("deployment"), endpoint.inputs["traffic"]) == (None, {})
    assert endpoint.inputs["definition"]["auth_mode"] == "aad_token"
    # The tasks find it by this tag.
    assert endpoint.inputs["metadata"]["tags"] == {"serves": load("pipelines/automl.yml")["inputs"]["model_name"]}
    assert deployment.outputs["endpoints"]["wine-cultivars"]["deployment"] is None


def test_the_stack_pushes_the_image_and_registers_every_task_and_the_schedule(deployment: Deployment) -> None:
    kinds = [each.type for each in deployment.resources]
    steps = load("pipelines/automl.yml")["jobs"]
    expected = {"Environment": 1, "Component": len(steps), "Schedule": 1}
    assert {kind: kinds.count(f"pulumi-python:dynamic/azureml:{kind}") for kind in expected} == expected
    assert kinds.count("docker:index/image:Image") == 1
    assert deployment.outputs["schedules"]["wine-cultivars-weekly"]["trigger"] == "0 5 * * 1"


def test_a_preview_says_that_the_tasks_need_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi, "warn", said.append)
    deploy("dev", project="automl-container", folder=EXAMPLE, preview=True)
    assert said == []
    off = {"azureml-platform:image": '{"build": false}'}
    deploy("dev", off, project="automl-container", folder=EXAMPLE, preview=True)
    (line,) = said
    assert "Without a Docker engine, a local run fails in its first task." in line


def test_the_cluster_acts_for_the_tasks_with_two_roles_more_than_for_other_jobs(deployment: Deployment) -> None:
    principal = "principal-of-identity-cluster"
    ours = [each for each in deployment.of("authorization:RoleAssignment") if each.name.startswith("tasks-")]
    assert {each.inputs["principalId"] for each in ours} == {principal}
    assert {each.inputs["principalType"] for each in ours} == {"ServicePrincipal"}
    scopes = sorted(each.inputs["scope"].rpartition("/")[2] for each in ours)
    assert scopes == ["id-mlops-automl-dev-001-endpoint", "mlw-mlops-automl-dev-001"]
    (assigned,) = (each for each in ours if each.name == "tasks-workspace-automl-task")
    assert assigned.error_hooks
    (schedule,) = (each for each in deployment.resources if each.type.endswith("azureml:Schedule"))
    assert {each.urn for each in ours} <= schedule.depends_on


def test_the_role_of_the_tasks_changes_only_what_the_tasks_change(task_access: ModuleType) -> None:
    actions = set(task_access.TASK_ROLE.actions)
    assert all(action.startswith(f"{ML}/") for action in actions)
    written = {action.removeprefix(f"{ML}/") for action in actions if not action.endswith("/read")}
    assert written == {
        "data/*", "jobs/write", "experiments/*", "metadata/*", "models/*", "environments/build/action",
        "environments/readSecrets/action", "onlineEndpoints/write", "onlineEndpoints/score/action",
        "onlineEndpoints/deployments/*",
    }  # fmt: skip


def test_every_task_has_a_managed_identity_runs_in_the_image_and_is_never_reused() -> None:
    for name, step in load("pipelines/automl.yml")["jobs"].items():
        assert step["identity"] == {"type": "managed"}, name
        component = load(f"ml/{name}/component.yml")
        assert component["environment"] == "azureml:tasks@latest", name
        # Azure ML would otherwise take the outputs of an earlier run, and change nothing.
        assert component["is_deterministic"] is False, name


def test_the_cluster_has_a_node_for_the_task_that_waits_besides_those_of_automl() -> None:
    (cluster,) = load("Pulumi.dev.yaml")["config"]["azureml-platform:compute"]
    job = load("ml/environments/tasks/configs/automl-job.yml")
    assert job["compute"] == f"azureml:{cluster['name']}"
    assert cluster["maxNodes"] > job["limits"]["max_concurrent_trials"] + 1


def test_the_configuration_files_of_the_image_are_those_that_az_ml_accepts(image: Path) -> None:
    from azure.ai.ml import load_data, load_job, load_online_deployment

    job = load_job(image / "configs" / "automl-job.yml")
    dataset = load_data(image / "configs" / "dataset.yml")
    assert (job.type, job.task_type, job.training_data.path) == ("automl", "Classification", f"{dataset.name}@latest")
    deployment = load_online_deployment(image / "configs" / "deployment.yml")
    assert (deployment.code_configuration, deployment.environment) == (None, None)
