from __future__ import annotations

from typing import Any

import pytest

from amlite.core.errors import AzureError
from amlite.services.machinelearning.published.validation import validate, writable

Json = dict[str, Any]


def compute(**inner: Any) -> Json:
    return {"properties": {"computeType": "AmlCompute", "properties": inner}}


def problems(model: str, body: Json) -> dict[str, str]:
    with pytest.raises(AzureError) as refused:
        validate(model, body)
    assert refused.value.status == 400
    return {detail["target"]: detail["message"] for detail in refused.value.details}


def test_what_the_service_takes_passes() -> None:
    validate("ComputeResource", compute(vmSize="Standard_DS3_v2", scaleSettings={"maxNodeCount": "2"}, osType="linux"))
    validate("ComputeResource", {"properties": {"computeType": "amlcompute", "unknownProperty": [1]}})
    validate("EnvironmentVersion", {"properties": {"image": "x", "tags": {"number": 1, "flag": True}}})


def test_every_problem_is_named_at_its_place() -> None:
    found = problems(
        "ComputeResource",
        {
            **compute(vmSize=["a"], scaleSettings={"minNodeCount": "few", "nodeIdleTimeBeforeScaleDown": "2m"}),
            "tags": "x",
        },
    )
    assert set(found) == {
        "tags",
        "properties.properties.vmSize",
        "properties.properties.scaleSettings.maxNodeCount",
        "properties.properties.scaleSettings.minNodeCount",
        "properties.properties.scaleSettings.nodeIdleTimeBeforeScaleDown",
    }
    assert "required" in found["properties.properties.scaleSettings.maxNodeCount"]


@pytest.mark.parametrize(
    ("kind", "said"), [(None, "computeType field is required"), ("Abacus", '"Abacus" is not a known computeType')]
)
def test_an_unknown_kind_lists_the_known_ones(kind: str | None, said: str) -> None:
    message = problems("ComputeResource", {"properties": {"computeType": kind}})["properties.computeType"]
    assert said in message
    assert "AmlCompute" in message


def test_an_unknown_value_lists_the_known_ones() -> None:
    assert (
        "Dedicated, LowPriority"
        in problems("ComputeResource", compute(vmPriority="Cheap"))["properties.properties.vmPriority"]
    )


def test_lists_and_maps_are_looked_into() -> None:
    trigger = {
        "triggerType": "Recurrence",
        "frequency": "Week",
        "interval": 1,
        "schedule": {"hours": [1, "one"], "minutes": 3, "weekDays": ["Monday", "Noday"]},
    }
    job = {"jobType": "Pipeline", "inputs": {"data": {"jobInputType": "uri_folder"}}}
    body = {"properties": {"trigger": trigger, "action": {"actionType": "CreateJob", "jobDefinition": job}}}
    assert set(problems("Schedule", body)) == {
        "properties.trigger.schedule.hours[1]",
        "properties.trigger.schedule.minutes",
        "properties.trigger.schedule.weekDays[1]",
        "properties.action.jobDefinition.inputs.data.uri",
    }


def test_writable_spells_values_as_published() -> None:
    body = {"properties": {"computeType": "amlcompute", "properties": {"vmPriority": "lowpriority", "osType": "LINUX"}}}
    inner = {"vmPriority": "LowPriority", "osType": "Linux"}
    assert writable("ComputeResource", body) == {"properties": {"computeType": "AmlCompute", "properties": inner}}


def test_writable_drops_what_the_service_sets_and_nulls() -> None:
    body = {
        "id": "/somewhere",
        "systemData": {"createdBy": "me"},
        "properties": {"image": "x", "condaFile": None, "provisioningState": "Failed", "extra": 1, "tags": {"n": 1}},
    }
    assert writable("EnvironmentVersion", body) == {"properties": {"image": "x", "extra": 1, "tags": {"n": "1"}}}
    assert body["id"] == "/somewhere"
