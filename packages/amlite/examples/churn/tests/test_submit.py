"""`submit.py` with the real azure-ai-ml client, against a local Azure."""

import json
import time
from pathlib import Path

import pytest
from azure.ai.ml.exceptions import MlException

import submit


@pytest.fixture(scope="session", autouse=True)
def cluster(ml_client):
    submit.prepare(ml_client)


def test_training_registers_a_model(ml_client, tmp_path: Path):
    model = submit.train(ml_client)
    ml_client.models.download(model.name, model.version, download_path=str(tmp_path))
    (file,) = tmp_path.rglob("model.json")
    assert json.loads(file.read_text()) == {"threshold": 9, "accuracy": 0.875}


def test_a_throttled_submission_is_repeated(ml_client, amlite, add_fault):
    add_fault("PUT */jobs/*", "throttle", times=1)
    job = ml_client.jobs.create_or_update(submit.pipeline())
    answers = [request["status"] for request in amlite.requests(f"/jobs/{job.name}") if request["method"] == "PUT"]
    assert answers == [429, 201]
    ml_client.jobs.begin_cancel(job.name).result()


def test_the_schedule_fires_at_night(ml_client, clock):
    submit.schedule(ml_client)
    clock.advance(days=1)
    deadline = time.monotonic() + 30
    while not (fired := [job for job in ml_client.jobs.list() if job.name.startswith("churn-nightly")]):
        assert time.monotonic() < deadline, "the schedule did not fire"
        time.sleep(0.1)
    ml_client.schedules.begin_disable("churn-nightly").result()
    ml_client.jobs.begin_cancel(fired[0].name).result()


def test_a_reader_may_not_train(azureml_workspace, amlite):
    reader = azureml_workspace.client(amlite.application(("Reader", azureml_workspace.id)))
    with pytest.raises(MlException, match="Storage Blob Data Contributor"):
        submit.train(reader)
