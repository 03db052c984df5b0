"""Pipelines that an update runs: awaited, found again, tried again, and what they leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from azureml_fixtures.asset_project import Project
from pulumi_azureml.operations.errors import AssetError
from pulumi_azureml.operations.kinds import OPERATIONS

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

    from amlite.testing import LocalAzure

KIND = OPERATIONS["pipeline_job"]
WRITES = """
import json, pathlib, sys
folder = pathlib.Path(sys.argv[1])
outcome = {"registered": True, "name": "delay", "version": "7", "reason": "better"}
(folder / "registration.json").write_text(json.dumps(outcome))
"""


def ours(ml: MLClient, props: dict[str, Any]) -> list[str]:
    """Return the names of the jobs of a pipeline, newest first."""
    return [job.name for job in ml.jobs.list() if job.name.startswith(f"{props['name']}-{props['version']}")]


def log_metric(azure: LocalAzure, tracking_uri: str, run: str) -> None:
    """Log `auc` to a run as MLflow's client does."""
    base = "https://" + tracking_uri.partition("://")[2].partition("?")[0]
    token = azure.credential.get_token("https://management.azure.com/.default").token
    metric = {"run_id": run, "key": "auc", "value": 0.75, "timestamp": 1, "step": 0}
    answer = requests.post(
        f"{base}/api/2.0/mlflow/runs/log-metric", json=metric, headers={"Authorization": f"Bearer {token}"}, timeout=60
    )
    assert answer.status_code == 200, answer.text


def test_a_job_that_was_cut_off_is_awaited_and_leaves_its_outputs(
    project: Project, ml_client: MLClient, amlite: LocalAzure, caplog: pytest.LogCaptureFixture
) -> None:
    project.write("ml/step/src/main.py", WRITES)
    outputs = {"outputs": {"out": {"type": "uri_folder"}}, "command": "python main.py ${{outputs.out}}"}
    project.edit("ml/step/component.yml", **outputs)
    step = {"component": f"azureml:step_{project.tag}@latest", "compute": "azureml:cpu"}
    jobs = {"step": {**step, "outputs": {"out": "${{parent.outputs.registration}}"}}}
    project.edit("pipelines/steps.yml", jobs=jobs, outputs={"registration": {"type": "uri_folder"}})
    project.needs("pipeline_job")
    props = project.props("pipeline_job")
    caplog.set_level("INFO", "pulumi_azureml")
    with pytest.raises(AssetError, match=r"is still .* after 0 minutes and goes on.*az ml job cancel --name steps-"):
        KIND.upsert(ml_client, {**props, "timeout_minutes": 0})
    done = KIND.upsert(ml_client, props)
    assert ours(ml_client, props) == [done["job"]]
    assert done["status"] == "Completed"
    assert done["model"] == "azureml:delay:7"
    assert done["outputs"] == {"registration": f"azureml://jobs/{done['job']}/outputs/registration/paths/"}
    assert done["job"] in done["studio_url"]
    assert f"job {done['job']}: step: Completed after " in caplog.text
    (child,) = ml_client.jobs.list(parent_job_name=done["job"])
    job = ml_client.jobs.get(done["job"])
    log_metric(amlite, job.services["Tracking"].endpoint, child.name)
    assert KIND.upsert(ml_client, props)["metrics"] == {"step.auc": 0.75}
    # Its output is a path for other assets.
    project.write("ml/data/data.yml", {"name": f"data-{project.tag}", "path": done["outputs"]["registration"]})
    artifacts = {
        "name": f"model-{project.tag}",
        "path": f"azureml://jobs/{child.name}/outputs/artifacts/paths/user_logs/",
    }
    for kind, model in (
        ("data", None),
        ("model", artifacts),
        ("model", {**artifacts, "path": f"runs:/{child.name}/user_logs"}),
    ):
        if model is not None:
            project.write("ml/model/model.yml", model)
        made = project.props(kind)
        OPERATIONS[kind].upsert(ml_client, made)
        assert OPERATIONS[kind].observe(ml_client, made) == made


def test_a_failed_job_says_why_and_is_tried_again(project: Project, ml_client: MLClient) -> None:
    project.write("ml/step/src/main.py", f"raise SystemExit('no rows for {project.tag}')\n")
    project.needs("pipeline_job")
    props = project.props("pipeline_job")
    first = f"{props['name']}-{props['version']}"
    for name in (first, f"{first}-2"):
        with pytest.raises(AssetError, match=f"job '{name}' ended as Failed: step 'step' failed") as failed:
            KIND.upsert(ml_client, props)
        assert f"no rows for {project.tag}" in str(failed.value)
    assert sorted(ours(ml_client, props)) == [first, f"{first}-2"]
    KIND.remove(ml_client, props)
    assert ours(ml_client, props) == []


def test_a_running_job_is_cancelled_on_removal(project: Project, ml_client: MLClient) -> None:
    project.write("ml/step/src/main.py", f"import time; time.sleep(300)  # {project.tag}\n")
    project.needs("pipeline_job")
    props = project.props("pipeline_job")
    with pytest.raises(AssetError, match="goes on"):
        KIND.upsert(ml_client, {**props, "timeout_minutes": 0})
    KIND.remove(ml_client, props)
    assert ml_client.jobs.get(f"{props['name']}-{props['version']}").status == "Canceled"
    assert ours(ml_client, props) == []


def test_a_schedule_repeats_a_job_that_ran(project: Project, ml_client: MLClient) -> None:
    project.needs("pipeline_job")
    props = project.props("pipeline_job")
    with pytest.raises(AssetError, match="goes on"):
        KIND.upsert(ml_client, {**props, "timeout_minutes": 0})
    ran = f"azureml:{props['name']}-{props['version']}"
    schedules = OPERATIONS["schedule"]
    for create_job in (ran, {"type": "pipeline", "job": ran, "settings": {"force_rerun": True}}):
        project.edit("pipelines/schedules/daily.yml", create_job=create_job)
        daily = project.props("schedule")
        schedules.upsert(ml_client, daily)
        assert schedules.observe(ml_client, daily) == daily
        fired = ml_client.schedules.trigger(daily["name"])
        assert [*ml_client.jobs.get(fired.job_name).jobs] == ["step"]
    schedules.remove(ml_client, daily)
    assert schedules.observe(ml_client, daily) is None
    KIND.remove(ml_client, props)
