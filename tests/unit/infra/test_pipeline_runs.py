"""Pipelines that an update runs, where the stack's settings name them."""

from __future__ import annotations

import json

from tests.unit.infra.deployed import Deployment, Registered, deploy


def test_a_pipeline_is_run_only_where_the_stack_says_so() -> None:
    def jobs(deployment: Deployment) -> list[Registered]:
        return [each for each in deployment.resources if each.type == "pulumi-python:dynamic/azureml:PipelineJob"]

    assert jobs(deploy("dev")) == []
    settings = {"run": ["training"], "runTimeoutMinutes": 90}
    deployment = deploy("dev", {"azureml-platform:assets": json.dumps(settings)})
    (job,) = jobs(deployment)
    assert job.inputs["timeout_minutes"] == 90
    assert {"prep", "train"} <= set(job.inputs["definition"]["jobs"])
