"""Settings that amlite would not honour are refused."""

from __future__ import annotations

from typing import Any

import pytest

from amlite.services.jobs import interactive, settings


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"notificationSetting": {"emailOn": ["JobCompleted"], "emails": ["a@b.c"]}}, "sends no notifications"),
        ({"experimentName": "a b"}, "Experiment name must be 1-256 characters"),
        ({"experimentName": "ü"}, "Experiment name must be 1-256 characters"),
        ({"experimentName": "a" * 257}, "Experiment name must be 1-256 characters"),
        ({"services": {"s": {"jobServiceType": "Jupyter"}}}, "service 's' has the jobServiceType 'Jupyter'"),
        ({"services": {"s": {"jobServiceType": "SSH", "port": 0}}}, "service 's' has the port 0"),
        ({"jobType": "Spark", "resources": {"runtimeVersion": "2.4"}}, "the Spark runtimeVersion is '2.4'"),
        ({"resources": {"properties": {"IsLocal": True}}}, "amlite has no runner for `compute: local`"),
        ({"resources": {"dockerArgs": "--privileged"}}, "leave out other docker_args"),
        ({"resources": {"dockerArgs": "--shm-size=1g -v /:/host"}}, "leave out other docker_args"),
        ({"resources": {"dockerArgsList": ["--gpus", "all"]}}, "leave out other docker_args"),
        ({"resources": {"shmSize": "much"}}, "shm_size is 'much'"),
        ({"resources": {"maxInstanceCount": 2}}, "leave out max_instance_count, or set it to 1"),
        ({"resources": {"maxInstanceCount": 4, "instanceCount": 2}}, "leave out max_instance_count, or set it to 2"),
        ({"resources": {"properties": {"ComputeSpecification": {}}}}, "leave out ComputeSpecification"),
        ({"resources": {"instanceCount": 0}}, "resources.instanceCount is 0 and must be at least 1"),
        ({"resources": {"instanceCount": "two"}}, "resources.instanceCount is 'two' and must be a whole number"),
        ({"trial": {"resources": {"instanceCount": -1}}}, "resources.instanceCount is -1 and must be at least 1"),
        ({"distribution": {"processCountPerInstance": 0}}, "distribution.processCountPerInstance is 0 and must be at"),
        ({"trial": {"distribution": {"workerCount": 0}}}, "distribution.workerCount is 0 and must be at least 1"),
        (
            {"distribution": {"parameterServerCount": -1}},
            "distribution.parameterServerCount is -1 and must be at least 0",
        ),
        ({"limits": {"maxTotalTrials": 0}}, "limits.maxTotalTrials is 0 and must be from 1 to 1000"),
        ({"limits": {"maxConcurrentTrials": 1001}}, "limits.maxConcurrentTrials is 1001 and must be from 1 to 1000"),
        ({"earlyTermination": {"truncationPercentage": 100}}, "must be from 1 to 99"),
        ({"earlyTermination": {"evaluationInterval": 0}}, "earlyTermination.evaluationInterval is 0"),
        ({"trial": {"resources": {"dockerArgs": "--privileged"}}}, "leave out other docker_args"),
        ({"inputs": {"a": {"jobInputType": "uri_folder", "mode": "ReadWriteMount"}}}, "inputs are read-only"),
        ({"inputs": {"a": {"jobInputType": "mltable", "mode": "eval_mount"}}}, "parallel and AutoML jobs only"),
    ],
)
def test_what_would_have_no_effect_is_refused(given: dict[str, Any], said: str) -> None:
    (found,) = settings.problems({"jobType": "Command", **given})
    assert said in found


def test_settings_that_are_honoured_are_not_refused() -> None:
    given = {
        "jobType": "Command",
        "experimentName": "a" * 256,
        "services": {"s": {"jobServiceType": "TensorBoard", "port": 6006}, "t": {}},
        "resources": {
            "runtimeVersion": "3.5.0",
            "instanceCount": 2,
            "maxInstanceCount": 2,
            "shmSize": "8g",
            "dockerArgs": "--shm-size=1g",
            "properties": {},
        },
        "inputs": {"a": {"jobInputType": "uri_folder", "mode": "Direct"}},
    }
    assert settings.problems(given) == []
    for kind in ("AutoML", "Parallel", "Pipeline"):
        assert settings.problems({"jobType": kind, "inputs": {"a": {"mode": "EvalMount"}}}) == []


def test_shared_memory_has_azures_default() -> None:
    sizes = [settings.shared_memory(each) for each in (None, {"shmSize": "8g"}, {"dockerArgs": "--shm-size 1g"})]
    assert sizes == ["2g", "8g", "1g"]


def test_interactive_services_are_shown_as_failed() -> None:
    (found,) = interactive.services({"services": {"lab": {"jobServiceType": "JupyterLab"}}}).values()
    assert (found["jobServiceType"], found["status"]) == ("JupyterLab", "Failed")
    assert "no interactive services" in found["errorMessage"]
