"""What the example's program declares: images, the pipeline with its schedule and endpoint, and the computes."""

from __future__ import annotations

from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec
from pathlib import Path

import pytest
from azure.core.exceptions import AzureError

from tests.unit.infra.deployed import Deployment, deploy

EXAMPLE = Path(__file__).resolve().parents[4] / "examples" / "custom-images"
AML = "pulumi-python:dynamic/azureml:"


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    return deploy("dev", project="custom-images", folder=EXAMPLE)


def names(deployment: Deployment, kind: str) -> set[str]:
    return {each.name for each in deployment.resources if each.type == kind}


def test_each_language_has_an_image(deployment: Deployment) -> None:
    images = {"image-python", "image-r", "image-plain"}
    assert names(deployment, "docker:index/image:Image") == images
    assert names(deployment, f"{AML}Environment") == {"environment-python", "environment-r", "environment-plain"}


def test_the_schedule_and_the_endpoint_run_one_pipeline_component(deployment: Deployment) -> None:
    component = f"azureml:forecasting:{deployment.outputs['assets']['component']['forecasting']}"
    (schedule,) = (each for each in deployment.resources if each.type == f"{AML}Schedule")
    published = {
        each.inputs["definition"]["component"].split(":")[1]: each.inputs["definition"]["component"]
        for each in deployment.resources
        if each.type == f"{AML}BatchDeployment"
    }
    assert component in str(schedule.inputs["definition"])
    assert published["forecasting"] == component
    assert set(published) == {"forecasting", "training"}
    assert set(deployment.outputs["endpoints"]) == {"departures-forecast", "departures-training"}


def test_the_pipelines_run_on_a_cluster_and_people_on_an_instance(deployment: Deployment) -> None:
    kinds = {
        each.inputs["computeName"]: each.inputs["properties"]["computeType"]
        for each in deployment.of("machinelearningservices:Compute")
    }
    assert kinds == {"cpu-cluster": "AmlCompute", "ci-mlops-images-dev": "ComputeInstance"}
    assert deployment.outputs["compute"] == ["cpu-cluster"]


@pytest.mark.attack
@pytest.mark.parametrize("host", ["example.org", "adb-1.2.azuredatabricks.net@example.org"])
def test_a_host_in_the_state_gets_no_token(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = SourceFileLoader("rest", str(EXAMPLE / "components" / "rest.py"))
    rest = module_from_spec(ModuleSpec("rest", loader))
    loader.exec_module(rest)
    asked: list[str] = []
    monkeypatch.setattr(rest, "credential", lambda: asked.append(host))
    with pytest.raises(AzureError, match=r"nothing is sent to example\.org"):
        rest.send("GET", host, "/api/2.1/jobs/get")
    assert asked == []
