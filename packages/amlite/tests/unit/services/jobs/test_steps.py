"""What a pipeline's steps become."""

from __future__ import annotations

from typing import Any

import pytest

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.services.jobs import steps
from amlite.services.machinelearning.references import WORKSPACE_TYPE

WORKSPACE = f"/subscriptions/s/resourceGroups/g/providers/{WORKSPACE_TYPE}/w"
INPUTS = {
    "depth": {"type": "integer", "default": "3"},
    "data": {"type": "uri_folder", "optional": True, "mode": "direct"},
}
COMMAND = {
    "name": "train",
    "type": "command",
    "command": "train ${{inputs.depth}} $[[${{inputs.data}}]]",
    "inputs": INPUTS,
    "outputs": {"model": {"type": "uri_folder", "mode": "upload"}},
    "environment": "azureml:e:1",
    "resources": {"instance_count": 2, "shm_size": "4g"},
}


@pytest.fixture
def store(platform: Platform) -> Platform:
    """Return a platform with a workspace, an environment, two components and two datastores."""
    for path, kind, properties in (
        ("", "", {}),
        ("/environments/e/versions/1", "/environments/versions", {}),
        ("/components/train/versions/1", "/components/versions", {"componentSpec": COMMAND}),
        ("/datastores/workspaceblobstore", "/datastores", {}),
        ("/datastores/lake", "/datastores", {}),
    ):
        body = {"id": WORKSPACE + path, "name": path.rpartition("/")[2], "properties": properties}
        platform.store.put(WORKSPACE + path, WORKSPACE_TYPE + kind, body)
    put_component(
        platform,
        "whole",
        {"type": "pipeline", "inputs": INPUTS, "jobs": {"one": node(depth="${{parent.inputs.depth}}")}},
    )
    return platform


def put_component(platform: Platform, name: str, spec: dict[str, Any]) -> None:
    path = f"{WORKSPACE}/components/{name}/versions/1"
    properties = {"componentSpec": {"name": name, **spec}}
    platform.store.put(
        path, f"{WORKSPACE_TYPE}/components/versions", {"id": path, "name": "1", "properties": properties}
    )


def node(component: str = "train", **inputs: Any) -> dict[str, Any]:
    kind = "pipeline" if component == "whole" else "command"
    return {"type": kind, "componentId": f"azureml:{component}:1",
            "inputs": {name: {"value": value} for name, value in inputs.items()}}  # fmt: skip


def pipeline(platform: Platform, jobs: dict[str, Any], **properties: Any) -> dict[str, Any]:
    found = steps.pipeline_job(platform, WORKSPACE, {"jobs": jobs, **properties})
    return {name: step.properties for name, step in found.items()}


def test_a_node_has_its_settings_as_a_job_would_have_them(store: Platform) -> None:
    spec = {**node(), "limits": {"timeout": "PT10S", "job_limits_type": "Command"},
            "identity": {"identity_type": "UserIdentity"},
            "services": {"lab": {"job_service_type": "JupyterLab"}}}  # fmt: skip
    job = pipeline(store, {"one": spec})["one"]
    assert job["resources"] == {"instanceCount": 2, "shmSize": "4g"}
    assert job["limits"] == {"timeout": "PT10S", "jobLimitsType": "Command"}
    assert job["identity"] == {"identityType": "UserIdentity"}
    assert job["services"] == {"lab": {"jobServiceType": "JupyterLab"}}
    assert job["outputs"]["model"]["mode"] == "Upload"


def test_a_mode_of_the_node_comes_before_that_of_its_component(store: Platform) -> None:
    data = "azureml://datastores/lake/paths/a"
    store.store.put(f"{WORKSPACE}/datastores/lake", f"{WORKSPACE_TYPE}/datastores",
                    {"id": f"{WORKSPACE}/datastores/lake", "name": "lake",
                     "properties": {"containerName": "c", "accountName": "a"}})  # fmt: skip
    spec = node(data=data)
    assert pipeline(store, {"one": spec})["one"]["inputs"]["data"]["mode"] == "Direct"
    spec["inputs"]["data"]["mode"] = "Download"
    assert pipeline(store, {"one": spec})["one"]["inputs"]["data"]["mode"] == "Download"


def test_a_node_with_a_setting_without_effect_is_refused(store: Platform) -> None:
    with pytest.raises(AzureError, match="Node 'one': amlite passes --shm-size to Docker and nothing else"):
        pipeline(store, {"one": {**node(), "resources": {"docker_args": "--privileged"}}})


def test_outputs_go_to_the_pipelines_default_datastore(store: Platform) -> None:
    settings = {"default_datastore": "azureml:lake"}
    found = pipeline(store, {"one": node(), "two": node("whole")}, settings=settings)
    assert (
        found["one"]["outputs"]["model"]["uri"] == "azureml://datastores/lake/paths/azureml/${{name}}/${{output_name}}"
    )
    assert found["two"]["settings"]["default_datastore"] == "lake"
    with pytest.raises(AzureError, match="Could not find datastore: sea"):
        pipeline(store, {"one": node()}, settings={"default_datastore": "sea"})


def test_a_pipeline_can_be_a_registered_component(store: Platform) -> None:
    """CLI (v2) pipeline job: `component` in place of `jobs`, with the defaults of its inputs."""
    given = {"componentId": "azureml:whole:1", "inputs": {}}
    job = {**given, **steps.of_component(store, WORKSPACE, given)}
    assert job["inputs"] == {"depth": {"jobInputType": "literal", "value": "3"}}
    found = steps.pipeline_job(store, WORKSPACE, job)
    assert found["one"].properties["inputs"]["depth"] == {"jobInputType": "literal", "value": "3"}


def test_an_optional_input_may_be_left_out_at_every_level(store: Platform) -> None:
    bound = {"data": "${{parent.inputs.data}}"}
    put_component(store, "outer", {"type": "pipeline", "inputs": INPUTS, "jobs": {"in": node("whole", **bound)}})
    outer = pipeline(store, {"one": {**node("whole"), "componentId": "azureml:outer:1"}})["one"]
    inner = steps.pipeline_job(store, WORKSPACE, outer)["in"].properties
    assert "data" not in steps.pipeline_job(store, WORKSPACE, inner)["one"].properties["inputs"]
    with pytest.raises(AzureError, match="names no input of the pipeline; there are: none"):
        pipeline(store, {"one": node("whole", **bound)})


def test_an_empty_text_is_a_value(store: Platform) -> None:
    inputs = {"word": {"type": "string", "default": "x"}}
    put_component(store, "say", {**COMMAND, "name": "say", "command": "echo '${{inputs.word}}'", "inputs": inputs})
    assert pipeline(store, {"one": node("say", word="")})["one"]["inputs"]["word"]["value"] == ""
