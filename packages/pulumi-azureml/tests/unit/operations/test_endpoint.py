"""The endpoint's resource around its rollout: what a refresh sees, what a deletion takes along, what it keeps."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from azureml_fixtures.fake_endpoint import RULES, THEM, US, Done, FakeEndpoint
from pulumi_azureml import (
    AutoscaleArgs,
    ChecksArgs,
    OnlineDeploymentArgs,
    OnlineEndpointArgs,
    RolloutArgs,
    WorkspaceArgs,
)
from pulumi_azureml.operations import autoscale, ownership, progress
from pulumi_azureml.operations.kinds import online_endpoint
from pulumi_azureml.planning import CatalogueSettings, plan_definitions

KIND = online_endpoint.OPERATIONS


def planned(root: Path, count: int = 1, probe: int = 5, **more: Any) -> dict[str, Any]:
    args = OnlineEndpointArgs(
        workspace=WorkspaceArgs(subscription_id="s", resource_group="g", name="w", owner=US),
        name="flights",
        deployment=OnlineDeploymentArgs(
            name="blue",
            model="azureml:delays:7",
            instance_type="Standard_DS3_v2",
            instance_count=count,
            environment_variables={"LEVEL": "info"},
            liveness_probe={"period": probe},
        ),
        **more,
    )
    settings = CatalogueSettings(computes=None, cache_folder=None, check_with_azure=False)
    return args.planned(plan_definitions(root, args.documents(), settings)).props()


@pytest.fixture
def props(tmp_path: Path) -> dict[str, Any]:
    return planned(tmp_path)


@pytest.fixture
def live(endpoint: FakeEndpoint, props: dict[str, Any]) -> Any:
    """Return the deployment that serves what the properties say."""
    endpoint.tags = ownership.tagged({}, US, props["content_hash"])
    endpoint.online_endpoints.get = described(endpoint.online_endpoints.get)
    name = str(KIND.live_name(props))
    probe = SimpleNamespace(period=5, timeout=2)
    variables = {"LEVEL": "info", "AZUREML_MODEL_DIR": "/var/azureml-app"}
    endpoint.add(name, share=100, instance_count=1, environment_variables=variables, liveness_probe=probe)
    return endpoint.deployments[name]


def described(get: Any) -> Any:
    def with_description(name: str) -> Any:
        found = get(name)
        found.description = None
        return found

    return with_description


def observe(endpoint: FakeEndpoint, props: dict[str, Any]) -> Any:
    return KIND.observe(endpoint, props)  # type: ignore[arg-type]


def test_a_refresh_of_what_nobody_changed_shows_nothing(
    endpoint: FakeEndpoint, props: dict[str, Any], live: Any
) -> None:
    assert observe(endpoint, props) == props


def test_a_refresh_shows_what_was_changed_by_hand_on_the_live_deployment(
    endpoint: FakeEndpoint, props: dict[str, Any], live: Any
) -> None:
    live.instance_count = 4
    live.environment_variables = {"LEVEL": "trace"}
    live.liveness_probe.period = 90
    changed = {"instance_count": 4, "environment_variables": {"LEVEL": "trace"}, "liveness_probe": {"period": 90}}
    seen = observe(endpoint, props)
    assert seen["deployment"]["definition"] == {**props["deployment"]["definition"], **changed}
    assert {**seen, "deployment": None} == {**props, "deployment": None}


def test_a_variable_that_was_removed_by_hand_shows(endpoint: FakeEndpoint, props: dict[str, Any], live: Any) -> None:
    live.environment_variables = {}
    assert observe(endpoint, props)["deployment"]["definition"]["environment_variables"] == {}


def test_a_refresh_shows_autoscale_that_others_changed_or_deleted(
    endpoint: FakeEndpoint, live: Any, tmp_path: Path
) -> None:
    props = planned(tmp_path, autoscale=AutoscaleArgs(min_instances=2, max_instances=5, cpu_percent=70))
    live.tags[autoscale.TAG] = "true"
    live.instance_count = 3
    body = autoscale.body(RULES, f"/{'x/' * 8}flights/deployments/{live.name}", "westeurope")
    endpoint.settings[live.name] = body
    assert observe(endpoint, props) == props
    body["properties"]["profiles"][0]["capacity"]["maximum"] = "50"
    assert observe(endpoint, props)["autoscale"]["max_instances"] == 50
    assert observe(endpoint, props)["deployment"] == props["deployment"]
    endpoint.settings.clear()
    assert observe(endpoint, props)["autoscale"] is None


def test_what_others_serve_on_an_endpoint_is_no_drift_while_we_serve_nothing(
    endpoint: FakeEndpoint, props: dict[str, Any], live: Any
) -> None:
    endpoint.traffic, endpoint.deployments = {}, {}
    endpoint.add("theirs", owner=THEM, share=100)
    nothing = {**props, "deployment": None, "traffic": {}}
    assert observe(endpoint, nothing) == nothing


def test_what_a_cut_off_rollout_left_without_traffic_shows(
    endpoint: FakeEndpoint, props: dict[str, Any], live: Any
) -> None:
    endpoint.add("blue-0")
    endpoint.add("theirs", owner=THEM)
    assert observe(endpoint, props) == {**props, "traffic": {live.name: 100, "blue-0": 0}}


def test_a_deletion_takes_autoscale_along(endpoint: FakeEndpoint, props: dict[str, Any], live: Any) -> None:
    live.tags[autoscale.TAG] = "true"
    endpoint.settings[live.name] = {}
    deleted: list[str] = []
    endpoint.online_endpoints.begin_delete = lambda name: Done(effect=lambda: deleted.append(name))
    KIND.remove(endpoint, props)  # type: ignore[arg-type]
    assert (endpoint.settings, deleted) == ({}, ["flights"])


def test_an_update_of_the_endpoint_itself_keeps_its_traffic_and_the_step_of_a_rollout(
    endpoint: FakeEndpoint, live: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = '{"deployment":"blue-2","percent":10,"since":"2026-01-31T12:00:00Z","before":{"blue-1":100}}'
    endpoint.tags[progress.TAG] = step
    written: list[Any] = []
    monkeypatch.setattr(
        "pulumi_azureml.operations.kinds.online_endpoint.load", lambda _loader, content: SimpleNamespace(**content)
    )
    entity = endpoint.online_endpoints.get("flights")
    entity.provisioning_state = "Succeeded"
    endpoint.online_endpoints.get = lambda _name: entity
    endpoint.online_endpoints.begin_create_or_update = lambda wanted: Done(effect=lambda: written.append(wanted))
    monkeypatch.setattr(
        "pulumi_azureml.operations.kinds.online_endpoint.Rollout", lambda *_: SimpleNamespace(run=lambda *_: live.name)
    )
    KIND.upsert(endpoint, {**planned(tmp_path, public_network_access="disabled"), "deployment": None})  # type: ignore[arg-type]
    (wanted,) = written
    assert (wanted.tags[progress.TAG], wanted.traffic) == (step, {live.name: 100})
    assert wanted.public_network_access == "disabled"


def test_an_instance_count_is_no_new_deployment_and_a_probe_is(tmp_path: Path) -> None:
    one, three, other = planned(tmp_path), planned(tmp_path, count=3), planned(tmp_path, probe=9)
    assert KIND.live_name(one) == KIND.live_name(three) != KIND.live_name(other)
    # It is a change nonetheless: the deployment is one of the resource's significant inputs.
    assert one["deployment"] != three["deployment"]
    assert "deployment" in KIND.significant


def test_what_a_program_says_of_a_rollout_is_what_the_provider_gets(tmp_path: Path) -> None:
    assert planned(tmp_path)["rollout"] == {"steps": [100], "bake_seconds": 0.0}
    checks = ChecksArgs(max_error_percent=1, command=["./check"])
    rollout = planned(tmp_path, rollout=RolloutArgs(steps=(10, 100), bake_seconds=600, checks=checks))["rollout"]
    assert (rollout["steps"], rollout["bake_seconds"]) == ([10, 100], 600)
    assert rollout["checks"]["max_error_percent"] == 1
    assert rollout["checks"]["when_quiet"] == "fail"
    assert list(rollout["checks"]["command"]) == ["./check"]


@pytest.mark.parametrize("steps", [(), (50, 10, 100), (10, 50), (0, 100), (10, 10, 100)])
def test_steps_that_lead_nowhere_are_refused(steps: tuple[int, ...]) -> None:
    with pytest.raises(pulumi.RunError, match=r"steps( must rise and end with 100|: .*at least 1 item)"):
        RolloutArgs(steps=steps)


def test_autoscale_that_cannot_be_meant_is_refused() -> None:
    with pytest.raises(pulumi.RunError, match=r"min_instances \(5\) must not exceed max_instances \(2\)"):
        AutoscaleArgs(min_instances=5, max_instances=2, cpu_percent=70)
    with pytest.raises(pulumi.RunError, match="needs cpu_percent, latency_ms or both"):
        AutoscaleArgs(max_instances=2)
