"""What a rollout checks, scales and changes beside the traffic."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from azureml_fixtures.fake_endpoint import (
    ID,
    RULES,
    Done,
    FakeEndpoint,
    run,
)
from pulumi_azureml.operations import autoscale, checks
from pulumi_azureml.operations.errors import RolloutError

# --- checks -----------------------------------------------------------------------------------------------------------


def test_a_deployment_that_fails_requests_is_returned_from_in_mid_bake(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=100)
    endpoint.statuses = {"blue-2": {"200": 90, "424": 7, "503": 3}}
    with pytest.raises(RolloutError, match=r"(?s)checks at 10 %.*: 10\.0 % of its 100 requests failed.*log of blue-2"):
        run(endpoint, "blue-2", steps=(10, 100), bake=1800, checked={"max_error_percent": 5})
    assert endpoint.slept == [60.0]
    assert (list(endpoint.deployments), endpoint.traffic, endpoint.tags) == (["blue-1"], {"blue-1": 100}, {})


def test_a_slow_deployment_is_returned_from(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=100)
    endpoint.statuses, endpoint.latency = {"blue-2": {"200": 100}}, 800
    with pytest.raises(RolloutError, match=r"95 % of its requests took up to 800 ms \(max_latency_ms"):
        run(endpoint, "blue-2", bake=120, checked={"max_latency_ms": 500})
    assert endpoint.traffic == {"blue-1": 100}


def test_a_deployment_within_its_limits_goes_on(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=100)
    endpoint.statuses = {"blue-2": {"200": 96, "404": 2, "500": 2}}
    run(endpoint, "blue-2", steps=(50, 100), bake=120, checked={"max_error_percent": 2, "max_latency_ms": 20})
    assert endpoint.slept == [60.0] * 4
    assert list(endpoint.deployments) == ["blue-2"]


def test_a_bake_ends_when_the_clock_of_the_metrics_has_moved_on(
    endpoint: FakeEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def jump(seconds: float) -> None:
        endpoint.slept.append(seconds)
        endpoint.time += timedelta(hours=1)

    endpoint.add("blue-1", share=100)
    monkeypatch.setattr(endpoint, "sleep", jump)
    run(endpoint, "blue-2", bake=1800)
    assert endpoint.slept == [60.0]


@pytest.mark.parametrize("quiet", ["pass", "fail"])
def test_too_little_traffic_passes_or_fails_as_configured(endpoint: FakeEndpoint, quiet: str) -> None:
    endpoint.add("blue-1", share=100)
    endpoint.statuses = {"blue-2": {"500": 3}}
    checked = {"max_error_percent": 1, "min_requests": 10, "when_quiet": quiet}
    if quiet == "pass":
        assert run(endpoint, "blue-2", bake=120, checked=checked) == "blue-2"
        return
    with pytest.raises(RolloutError, match=r"not enough traffic to judge it: 3 requests since .*, 10 are needed"):
        run(endpoint, "blue-2", bake=120, checked=checked)
    # It was waited for until the end of the bake.
    assert endpoint.slept == [60.0, 60.0]
    assert endpoint.traffic == {"blue-1": 100}


def test_metrics_that_cannot_be_read_fail_the_check(endpoint: FakeEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise HttpResponseError("403 Forbidden")

    monkeypatch.setattr(checks, "send", refuse)
    endpoint.add("blue-1", share=100)
    with pytest.raises(RolloutError, match="its metrics cannot be read: 403 Forbidden"):
        run(endpoint, "blue-2", bake=120, checked={"max_error_percent": 1})
    assert endpoint.traffic == {"blue-1": 100}


# --- autoscale --------------------------------------------------------------------------------------------------------


def test_autoscale_follows_the_deployment(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=100)
    run(endpoint, "blue-1", autoscale=RULES)
    assert endpoint.log == ["deploy blue-1", "PUT autoscale blue-1"]
    endpoint.log.clear()
    run(endpoint, "blue-2", smoke=None, autoscale=RULES)
    assert endpoint.log == [
        "deploy blue-2",
        "PUT autoscale blue-2",
        "traffic {'blue-2': 100}",
        "DELETE autoscale blue-1",
        "delete blue-1",
    ]
    assert endpoint.settings["blue-2"]["properties"]["targetResourceUri"] == f"{ID}/deployments/blue-2"
    endpoint.log.clear()
    run(endpoint, "blue-2", smoke=None)
    assert endpoint.log == ["DELETE autoscale blue-2", "deploy blue-2"]
    assert endpoint.settings == {}
    assert autoscale.TAG not in endpoint.deployments["blue-2"].tags


def test_a_failed_rollout_takes_its_autoscale_along(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=100)
    endpoint.fails_smoke = {"blue-2"}
    with pytest.raises(RolloutError, match="smoke test"):
        run(endpoint, "blue-2", autoscale=RULES)
    assert endpoint.settings == {}


# --- in place ---------------------------------------------------------------------------------------------------------


def test_another_instance_count_needs_no_new_deployment(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=100, instance_count=1)
    run(endpoint, "blue-1", definition={"instance_count": 3})
    assert endpoint.log == ["deploy blue-1"]
    assert endpoint.deployments["blue-1"].instance_count == 3


def test_the_instance_count_of_what_scales_by_itself_is_left_alone(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=100, instance_count=4)
    endpoint.deployments["blue-1"].tags[autoscale.TAG] = "true"
    run(endpoint, "blue-1", definition={"instance_count": 3}, autoscale=RULES)
    assert endpoint.deployments["blue-1"].instance_count == 4
    assert endpoint.log == ["PUT autoscale blue-1"]
    # Without autoscale it is set again.
    run(endpoint, "blue-1", definition={"instance_count": 3})
    assert endpoint.deployments["blue-1"].instance_count == 3


def test_what_somebody_changed_by_hand_is_set_back_in_place(endpoint: FakeEndpoint) -> None:
    probe = SimpleNamespace(period=5, timeout=2)
    variables = {"LEVEL": "debug", "AZUREML_MODEL_DIR": "/var/azureml-app"}
    endpoint.add("blue-1", share=100, environment_variables=variables, liveness_probe=probe)
    definition = {"environment_variables": {"LEVEL": "info"}, "liveness_probe": {"period": 5}}
    run(endpoint, "blue-1", definition=definition)
    assert endpoint.log == ["deploy blue-1"]
    assert endpoint.deployments["blue-1"].environment_variables == {"LEVEL": "info"}
    assert endpoint.deployments["blue-1"].liveness_probe is probe


def test_a_change_in_place_that_azure_refuses_is_taken_back(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=100, instance_count=1)
    original = endpoint.online_deployments.begin_create_or_update

    def refuse(entity: Any) -> Done:
        done: Done = original(entity)
        return Done(HttpResponseError("out of quota")) if entity.instance_count == 50 else done

    endpoint.online_deployments.begin_create_or_update = refuse
    with pytest.raises(RolloutError, match=r"in place \(instance_count\), and serves as before: out of quota"):
        run(endpoint, "blue-1", definition={"instance_count": 50})
    assert endpoint.deployments["blue-1"].instance_count == 1
    assert endpoint.traffic == {"blue-1": 100}


# --- adopted endpoints ------------------------------------------------------------------------------------------------


def test_what_serves_on_an_adopted_endpoint_is_taken_over_without_downtime(endpoint: FakeEndpoint) -> None:
    endpoint.add("theirs", owner=None, share=100)
    endpoint.add("experiment", owner=None)
    run(endpoint, "blue-1", steps=(10, 100), adopt=True)
    assert endpoint.log == [
        "deploy theirs",
        "deploy blue-1",
        "smoke blue-1",
        "traffic {'theirs': 90, 'blue-1': 10}",
        "smoke blue-1",
        "traffic {'blue-1': 100}",
        "delete theirs",
    ]
    assert list(endpoint.deployments) == ["experiment", "blue-1"]


def test_an_adopted_endpoint_serves_on_while_there_is_no_deployment_for_it(endpoint: FakeEndpoint) -> None:
    endpoint.add("theirs", owner=None, share=100)
    assert run(endpoint, None, adopt=True) is None
    assert endpoint.log == []
    assert endpoint.traffic == {"theirs": 100}
