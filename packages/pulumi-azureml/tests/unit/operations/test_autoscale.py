"""Autoscale settings, held against Microsoft's published models."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import ResourceNotFoundError

from pulumi_azureml.operations import autoscale

GROUP = "/subscriptions/s/resourceGroups/g"
ENDPOINT = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/w/onlineEndpoints/flights"
DEPLOYMENT = f"{ENDPOINT}/deployments/blue-1"
RULES = {"min_instances": 2, "max_instances": 5, "cpu_percent": 70, "latency_ms": 200}


def test_a_setting_is_what_microsofts_models_say() -> None:
    from azure.mgmt.monitor.models import AutoscaleSettingResource

    wanted = autoscale.body(RULES, DEPLOYMENT, "westeurope")
    model: Any = AutoscaleSettingResource.deserialize(wanted)
    # Whatever the model does not know, or is not allowed to be written, would be missing here.
    assert without_none(model.serialize(keep_readonly=False)) == wanted
    assert missing(model) == []
    (profile,) = model.profiles
    assert (profile.capacity.minimum, profile.capacity.maximum, profile.capacity.default) == ("2", "5", "2")
    told = [
        (rule.metric_trigger.metric_name, rule.metric_trigger.operator, rule.metric_trigger.threshold,
         rule.scale_action.direction)
        for rule in profile.rules
    ]  # fmt: skip
    assert told == [
        ("CpuUtilizationPercentage", "GreaterThan", 70.0, "Increase"),
        ("CpuUtilizationPercentage", "LessThan", 35.0, "Decrease"),
        ("RequestLatency_P95", "GreaterThan", 200.0, "Increase"),
        ("RequestLatency_P95", "LessThan", 100.0, "Decrease"),
    ]
    assert {rule.metric_trigger.metric_resource_uri for rule in profile.rules} == {DEPLOYMENT}
    assert model.target_resource_uri == DEPLOYMENT


def missing(model: Any, path: str = "") -> list[str]:
    """Name what the published models require and what is not there."""
    found = []
    for name, kind in model._attribute_map.items():
        value = getattr(model, name)
        if value is None and model._validation.get(name, {}).get("required"):
            found.append(f"{path}{kind['key']}")
        for each in value if isinstance(value, list) else [value]:
            if hasattr(each, "_attribute_map"):
                found += missing(each, f"{path}{kind['key']}.")
    return found


def without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_none(each) for key, each in value.items() if each is not None}
    return [without_none(each) for each in value] if isinstance(value, list) else value


def test_a_setting_has_a_name_of_its_own_for_each_deployment() -> None:
    assert autoscale.setting_id(ENDPOINT, "blue-1") == (
        f"{GROUP}/providers/Microsoft.Insights/autoscaleSettings/w-flights-blue-1"
    )


@pytest.mark.parametrize("rules", [RULES, {"min_instances": 1, "max_instances": 1, "latency_ms": 90}])
def test_rules_are_read_back_as_they_were_written(monkeypatch: pytest.MonkeyPatch, rules: dict[str, int]) -> None:
    kept: dict[str, Any] = {}

    def send(method: str, id_: str, _version: str, body: Any = None) -> Any:
        if method == "PUT":
            kept[id_] = body
        if method == "DELETE":
            del kept[id_]
        if id_ not in kept and method == "GET":
            raise ResourceNotFoundError("404")
        return kept.get(id_)

    monkeypatch.setattr(autoscale, "send", send)
    autoscale.apply(rules, ENDPOINT, "blue-1", "westeurope")
    assert autoscale.observe(ENDPOINT, "blue-1") == rules
    kept[autoscale.setting_id(ENDPOINT, "blue-1")]["properties"]["profiles"][0]["capacity"]["maximum"] = "9"
    assert autoscale.observe(ENDPOINT, "blue-1") == {**rules, "max_instances": 9}
    autoscale.remove(ENDPOINT, "blue-1")
    assert autoscale.observe(ENDPOINT, "blue-1") is None


def test_a_setting_that_is_gone_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    def send(*_: object) -> Any:
        raise ResourceNotFoundError("404")

    monkeypatch.setattr(autoscale, "send", send)
    autoscale.remove(ENDPOINT, "blue-1")
