"""Rollouts that were cut off: what the next update finds and does."""

from __future__ import annotations

import contextlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from azureml_fixtures.fake_endpoint import (
    BEGAN,
    RULES,
    Cut,
    FakeEndpoint,
    prepared,
    run,
)
from pulumi_azureml.operations import autoscale, progress
from pulumi_azureml.operations.errors import AssetError, RolloutError


def test_the_step_and_what_served_before_are_kept_in_the_endpoints_tags(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=100)
    kept: list[str | None] = []
    original = endpoint.sleep

    def sleep(seconds: float) -> None:
        kept.append(endpoint.tags.get(progress.TAG))
        original(seconds)

    endpoint.sleep = sleep  # type: ignore[method-assign]
    endpoint.tags = {"team": "flights"}
    run(endpoint, "blue-2", steps=(10.0, 100.0), bake=600.0)  # as the engine hands numbers over
    assert kept[0] == '{"deployment":"blue-2","percent":10,"since":"2026-01-31T12:00:00Z","before":{"blue-1":100}}'
    assert kept[10] is not None
    assert json.loads(kept[10])["since"] == "2026-01-31T12:10:00Z"
    assert endpoint.tags == {"team": "flights"}


def step(name: str, percent: int, minutes_ago: int, **before: int) -> dict[str, str]:
    since = BEGAN - timedelta(minutes=minutes_ago)
    shares = {each.replace("_", "-"): share for each, share in before.items()}
    return {progress.TAG: progress.Progress(name, percent, since, shares).text()}


def test_a_bake_that_was_cut_off_lasts_only_as_long_as_was_left(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=50)
    endpoint.add("blue-2", share=50)
    endpoint.tags = step("blue-2", 50, 20, blue_1=100)
    run(endpoint, "blue-2", steps=(10, 50, 100), bake=1800)
    assert endpoint.slept == [60.0] * 40
    assert endpoint.log[:3] == ["smoke blue-2", "smoke blue-2", "traffic {'blue-2': 100}"]
    assert list(endpoint.deployments) == ["blue-2"]


def test_a_failure_in_the_last_bake_returns_to_what_served_before(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1")
    endpoint.add("blue-2", share=100)
    endpoint.tags = step("blue-2", 100, 5, blue_1=100)
    endpoint.fails_smoke = {"blue-2"}
    with pytest.raises(RolloutError, match="smoke test"):
        run(endpoint, "blue-2", bake=1800)
    assert (list(endpoint.deployments), endpoint.traffic, endpoint.tags) == (["blue-1"], {"blue-1": 100}, {})


def test_a_revert_of_a_rollout_that_was_cut_off_returns_at_once(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=50)
    endpoint.add("blue-2", share=50)
    endpoint.tags = step("blue-2", 50, 5, blue_1=100)
    assert run(endpoint, "blue-1", steps=(10, 50, 100), bake=1800) == "blue-1"
    assert endpoint.log == ["traffic {'blue-1': 100}", "delete blue-2"]
    assert (endpoint.slept, endpoint.tags) == ([], {})


def test_a_third_content_after_a_cut_off_rollout_starts_from_what_served_before(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=50)
    endpoint.add("blue-2", share=50)
    endpoint.tags = step("blue-2", 50, 5, blue_1=100)
    run(endpoint, "blue-3", steps=(10, 100))
    assert "traffic {'blue-1': 90, 'blue-3': 10}" in endpoint.log
    assert list(endpoint.deployments) == ["blue-3"]


def test_an_operation_of_an_earlier_attempt_that_does_not_end_is_reported(
    endpoint: FakeEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.add("blue-1", share=100)
    endpoint.add("blue-2", state="Creating")
    monkeypatch.setattr(endpoint, "sleep", endpoint.slept.append)
    with pytest.raises(AssetError, match=r"'blue-2' is still 'Creating' after 60 minutes.*pulumi up"):
        run(endpoint, "blue-2")
    assert sum(endpoint.slept) == 3600
    assert endpoint.log == []


def test_a_tag_that_nobody_understands_is_no_progress(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=90)
    endpoint.add("blue-2", share=10)
    endpoint.tags = {progress.TAG: "ten percent"}
    run(endpoint, "blue-2", steps=(10, 100), bake=60)
    assert endpoint.slept == [60.0, 60.0]
    assert endpoint.tags == {}


def test_a_first_deployment_that_fails_says_that_the_endpoint_stays(endpoint: FakeEndpoint) -> None:
    endpoint.broken = {"blue-1"}
    with pytest.raises(RolloutError, match=r"(?s)'flights' stays, without a deployment: .* the next `pulumi up` goes"):
        run(endpoint, "blue-1")
    endpoint.broken = set()
    assert run(endpoint, "blue-1") == "blue-1"
    assert endpoint.traffic == {"blue-1": 100}


FULL: dict[str, Any] = {
    "steps": (10, 50, 100),
    "bake": 120,
    "checked": {"max_error_percent": 5, "max_latency_ms": 100},
    "autoscale": RULES,
}


def served(fake: FakeEndpoint) -> None:
    fake.add("blue-1", share=100)
    fake.deployments["blue-1"].tags[autoscale.TAG] = "true"
    fake.settings["blue-1"] = {}
    fake.statuses = {"blue-1": {"200": 100}, "blue-2": {"200": 100}}


@pytest.mark.parametrize("moment", ["before", "during", "after"])
@pytest.mark.parametrize("outcome", ["passes", "fails its smoke test", "is reverted"])
def test_a_process_lost_at_any_request_converges_at_the_next_update(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, moment: str, outcome: str
) -> None:
    """No orphan, nothing double, and a deployment that serves at every moment: the fake checks that at each request."""
    number = 0
    while True:
        number += 1
        with monkeypatch.context() as patch:
            fake = prepared(patch, tmp_path)
            served(fake)
            fake.cut = (number, moment)
            fake.fails_smoke = {"blue-2"} if outcome == "fails its smoke test" else set()
            with contextlib.suppress(Cut, RolloutError):
                run(fake, "blue-2", **FULL)
            if fake.requests < number:
                break
            fake.cut = None
            try:
                run(fake, "blue-1" if outcome == "is reverted" else "blue-2", **FULL)
            except RolloutError:
                assert outcome == "fails its smoke test"
            live = "blue-2" if outcome == "passes" else "blue-1"
            assert (number, list(fake.deployments), fake.traffic) == (number, [live], {live: 100})
            assert (number, list(fake.settings), fake.tags) == (number, [live], {})
    assert number > (8 if outcome == "fails its smoke test" else 30)
