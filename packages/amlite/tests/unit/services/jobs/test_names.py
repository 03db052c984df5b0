"""The names of jobs that amlite starts by itself: a client may have taken them before."""

from __future__ import annotations

import pytest

from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.jobs import documents, submission
from amlite.services.jobs.documents import JOB_TYPE, Job
from amlite.services.machinelearning.references import WORKSPACE_TYPE

WORKSPACE = f"/subscriptions/s/resourceGroups/g/providers/{WORKSPACE_TYPE}/w"
TRIAL: Json = {"jobType": "Command", "command": "true", "inputs": {}, "outputs": {}}
pytestmark = pytest.mark.attack


@pytest.fixture
def sweep(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Write down a sweep that runs, and a job of a client with the name of its first trial."""
    monkeypatch.setattr(submission, "_default_output", lambda *_: {})
    properties = {"workspaceId": "w-1", "mlFlowTrackingUri": "azureml://westeurope.api.azureml.ms/mlflow/v1.0/w"}
    platform.store.put(WORKSPACE, WORKSPACE_TYPE, {"id": WORKSPACE, "name": "w", "properties": properties})
    for name in ("sweep", "sweep_0"):
        body = {
            "name": name,
            "properties": {"jobType": "Sweep", "status": "Running", "experimentName": "e"},
            "run": {"root": name},
        }
        platform.store.put(f"{WORKSPACE}/jobs/{name}", JOB_TYPE, body)
    return documents.get(platform, WORKSPACE, "sweep")


def test_a_trial_whose_name_a_client_took_has_another_one(platform: Platform, sweep: Job) -> None:
    first, second = (submission.numbered_child(platform, sweep, number, TRIAL) for number in (0, 1))
    assert first.name.startswith("sweep_0-")
    assert second.name == "sweep_1"
    children = documents.children(platform, documents.get(platform, WORKSPACE, "sweep"))
    assert [child.name for child in children] == [first.name, second.name]


def test_another_attempt_continues_the_same_trial(platform: Platform, sweep: Job) -> None:
    first = submission.numbered_child(platform, sweep, 0, TRIAL)
    assert submission.numbered_child(platform, sweep, 0, TRIAL).name == first.name


def test_a_trial_that_was_deleted_is_another_one(platform: Platform, sweep: Job) -> None:
    documents.remove(platform, submission.numbered_child(platform, sweep, 1, TRIAL))
    assert submission.numbered_child(platform, sweep, 1, TRIAL).name.startswith("sweep_1-")
