"""Rollouts against a fake endpoint that keeps Azure's rules: what happens in which order, what a failure leaves."""

from __future__ import annotations

from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError

from azureml_fixtures.fake_endpoint import (
    THEM,
    Done,
    FakeEndpoint,
    run,
)
from pulumi_azureml.operations.errors import OwnershipError, RolloutError
from pulumi_azureml.operations.rollout import scaled


def test_the_first_deployment_is_tested_before_it_gets_traffic(endpoint: FakeEndpoint) -> None:
    assert run(endpoint, "blue-1", steps=(10, 50, 100)) == "blue-1"
    assert endpoint.log == ["deploy blue-1", "smoke blue-1", "traffic {'blue-1': 100}"]
    assert endpoint.slept == []


def test_a_deployment_that_nothing_tests_is_told(endpoint: FakeEndpoint, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert run(endpoint, "blue-1", smoke=None) == "blue-1"
    assert endpoint.log == ["deploy blue-1", "traffic {'blue-1': 100}"]
    assert (
        caplog.messages.count("endpoint flights: no smoke test of blue-1: the endpoint has no sample-request.json") == 1
    )


def test_an_update_deploys_beside_the_old_one_and_deletes_it_last(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=100)
    run(endpoint, "blue-2")
    assert endpoint.log == ["deploy blue-2", "smoke blue-2", "traffic {'blue-2': 100}", "delete blue-1"]


def test_traffic_moves_in_steps_with_a_bake_and_a_smoke_test_after_each(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=100)
    run(endpoint, "blue-2", steps=(10, 50, 100), bake=1800)
    assert endpoint.log == [
        "deploy blue-2",
        "smoke blue-2",
        "traffic {'blue-1': 90, 'blue-2': 10}",
        "smoke blue-2",
        "traffic {'blue-1': 50, 'blue-2': 50}",
        "smoke blue-2",
        "traffic {'blue-2': 100}",
        "smoke blue-2",
        "untag",
        "delete blue-1",
    ]
    # The old one is there until the new one has baked with all the traffic.
    assert endpoint.slept == [60.0] * 90
    assert endpoint.tags == {}


def test_a_deployment_that_does_not_start_leaves_the_old_one_serving(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=100)
    endpoint.broken = {"blue-2"}
    with pytest.raises(RolloutError, match=r"(?s)'blue-2' .* did not start: ImportError.*the log of blue-2"):
        run(endpoint, "blue-2")
    assert (list(endpoint.deployments), endpoint.traffic) == (["blue-1"], {"blue-1": 100})
    # Reverting the configuration finds everything as it was: nothing is written.
    endpoint.log.clear()
    assert run(endpoint, "blue-1") == "blue-1"
    assert endpoint.log == []


def test_a_failing_smoke_test_never_gets_traffic(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=100)
    endpoint.fails_smoke = {"blue-2"}
    with pytest.raises(
        RolloutError,
        match=r"(?s)failed its smoke test with request.json: 424 .*the log of blue-2.*before: blue-1 100 %",
    ):
        run(endpoint, "blue-2")
    assert endpoint.log == ["deploy blue-2", "smoke blue-2", "delete blue-2"]
    assert endpoint.traffic == {"blue-1": 100}


def test_a_request_file_that_is_not_json_fails_the_smoke_test(endpoint: FakeEndpoint, tmp_path: Path) -> None:
    (tmp_path / "request.json").write_text("{")
    with pytest.raises(RolloutError, match="failed its smoke test"):
        run(endpoint, "blue-1")
    assert endpoint.deployments == {}


def test_traffic_returns_when_a_step_fails(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=100)
    endpoint.refuses_traffic = {"blue-1": 50, "blue-2": 50}
    with pytest.raises(RolloutError, match=r"refused 50 % to blue-2: no traffic for you"):
        run(endpoint, "blue-2", steps=(10, 50, 100))
    assert (list(endpoint.deployments), endpoint.traffic) == (["blue-1"], {"blue-1": 100})


def test_what_cannot_be_taken_back_is_said(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=100)
    original = endpoint.online_deployments.begin_delete
    endpoint.broken = {"blue-2"}

    def refuse(name: str, endpoint_name: str) -> Done:
        raise HttpResponseError("Azure is on holiday")

    endpoint.online_deployments.begin_delete = refuse
    with pytest.raises(RolloutError, match=r"(?s)ImportError.*so the next update completes it: Azure is on holiday"):
        run(endpoint, "blue-2")
    endpoint.online_deployments.begin_delete = original
    run(endpoint, "blue-1")
    assert list(endpoint.deployments) == ["blue-1"]


def test_an_attempt_that_was_cut_off_before_traffic_goes_on_without_deploying_again(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=100)
    endpoint.add("blue-2")
    run(endpoint, "blue-2")
    assert endpoint.log == ["smoke blue-2", "traffic {'blue-2': 100}", "delete blue-1"]


def test_an_attempt_that_is_still_deploying_is_waited_for(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=100)
    endpoint.add("blue-2", state="Creating")
    run(endpoint, "blue-2")
    assert "deploy blue-2" not in endpoint.log
    assert len(endpoint.slept) == 1


def test_a_failed_leftover_is_deployed_anew(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=100)
    endpoint.add("blue-2", state="Failed")
    run(endpoint, "blue-2")
    assert endpoint.log[:2] == ["delete blue-2", "deploy blue-2"]


def test_a_rollout_cut_off_in_mid_traffic_fails_back_to_the_old_deployment(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=90)
    endpoint.add("blue-2", share=10)
    endpoint.fails_smoke = {"blue-2"}
    with pytest.raises(RolloutError, match="smoke test"):
        run(endpoint, "blue-2", steps=(10, 50, 100))
    assert (list(endpoint.deployments), endpoint.traffic) == (["blue-1"], {"blue-1": 100})


def test_a_revert_in_mid_traffic_gives_all_of_it_to_the_old_deployment(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=50)
    endpoint.add("blue-2", share=50)
    run(endpoint, "blue-1")
    assert (list(endpoint.deployments), endpoint.traffic) == (["blue-1"], {"blue-1": 100})


def test_leftovers_are_swept_and_foreign_deployments_stay(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=100)
    endpoint.add("blue-0", state="Failed")
    endpoint.add("experiment", owner=THEM)
    run(endpoint, "blue-1")
    assert endpoint.log == ["delete blue-0"]
    assert list(endpoint.deployments) == ["blue-1", "experiment"]


def test_somebody_elses_deployment_of_the_same_name_is_not_touched(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", owner=THEM, share=100)
    with pytest.raises(OwnershipError, match=f"belongs to stack '{THEM}'"):
        run(endpoint, "blue-1")
    assert endpoint.log == []


def test_changed_tags_of_a_live_deployment_are_written_in_place(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=100)
    endpoint.deployments["blue-1"].description = "old"
    run(endpoint, "blue-1")
    assert endpoint.log == ["deploy blue-1"]
    assert endpoint.deployments["blue-1"].description is None


def test_no_deployment_wanted_takes_the_traffic_away_first(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=100)
    endpoint.may_stop = True
    assert run(endpoint, None) is None
    assert endpoint.log == ["traffic {}", "delete blue-1"]


@pytest.mark.parametrize(
    ("traffic", "total", "result"),
    [
        ({"a": 90}, 100, {"a": 100}),
        ({"a": 33, "b": 33, "c": 34}, 50, {"a": 16, "b": 17, "c": 17}),
        ({"a": 50, "b": 50}, 0, {"a": 0, "b": 0}),
        ({}, 100, {}),
    ],
)
def test_scaled_keeps_proportions_and_the_sum(traffic: dict[str, int], total: int, result: dict[str, int]) -> None:
    assert scaled(traffic, total) == result
