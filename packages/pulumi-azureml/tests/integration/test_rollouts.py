"""Rollouts by the real clients on a real amlite whose clock moves with their bakes, so that no bake is waited for."""

from __future__ import annotations

import functools
import json
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from amlite_fixtures.azure import GROUP_ID
from azureml_fixtures.asset_project import workspace_of
from pulumi_azureml import (
    AutoscaleArgs,
    ChecksArgs,
    CodeConfigurationArgs,
    OnlineDeploymentArgs,
    OnlineEndpointArgs,
    RolloutArgs,
)
from pulumi_azureml.operations import progress
from pulumi_azureml.operations.errors import RolloutError
from pulumi_azureml.operations.kinds import OPERATIONS, online_endpoint
from pulumi_azureml.operations.rollout import Rollout
from pulumi_azureml.operations.scoring import ScoringTarget, access_key
from pulumi_azureml.planning import CatalogueSettings, plan_definitions

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

    from amlite.testing import LocalAzure, Workspace

SCORE = """
import json, os

def init():
    pass

def run(raw_data):
    request = json.loads(raw_data)
    {failure}
    return os.environ["LEVEL"]
"""
SETTINGS = "Microsoft.Insights/autoscaleSettings"
FAILS = "if request.get('caller') == 'user': raise RuntimeError('no such feature')"
BAKE = 300


class Site:
    """A project with one endpoint, and callers of it who send requests while a rollout bakes."""

    def __init__(self, root: Path, ml: MLClient, azure: LocalAzure, environment: str) -> None:
        self.root, self.ml, self.azure, self.environment = root, ml, azure, environment
        self.name = f"ep-{uuid.uuid4().hex[:12]}"
        self.slept: list[float] = []
        self.next_calls = 0.0
        self.lost_after: int | None = None
        self.ahead = azure.now() - datetime.now(UTC)
        (root / "Pulumi.yaml").write_text("name: azureml-platform\nruntime: python\n")
        (root / "request.json").write_text('{"caller": "smoke test"}')

    def props(
        self,
        failure: str = "",
        count: int = 1,
        level: str = "info",
        autoscale: AutoscaleArgs | None = None,
        **checks: Any,
    ) -> dict[str, Any]:
        """Plan the endpoint with a deployment of a scoring script."""
        (self.root / "score").mkdir(exist_ok=True)
        (self.root / "score" / "score.py").write_text(SCORE.format(failure=failure))
        args = OnlineEndpointArgs(
            workspace=workspace_of(self.ml, "test/rollouts"),
            name=self.name,
            deployment=OnlineDeploymentArgs(
                name="blue",
                environment=self.environment,
                code_configuration=CodeConfigurationArgs(code="score", scoring_script="score.py"),
                instance_type="Standard_DS3_v2",
                instance_count=count,
                environment_variables={"LEVEL": level},
                request_settings={"request_timeout_ms": 4000, "max_concurrent_requests_per_instance": 2},
                liveness_probe={"initial_delay": 1, "period": 5, "timeout": 2, "failure_threshold": 30},
                extra={"data_collector": {"collections": {"request": {"enabled": "true"}}, "rolling_rate": "day"}},
            ),
            rollout=RolloutArgs(steps=(25, 100), bake_seconds=BAKE, checks=ChecksArgs(**checks)),
            smoke_request="request.json",
            autoscale=autoscale,
        )
        settings = CatalogueSettings(computes=None, cache_folder=None, check_with_azure=False)
        return args.planned(plan_definitions(self.root, args.documents(), settings)).props()

    def up(self, props: dict[str, Any]) -> str:
        return str(OPERATIONS["online_endpoint"].upsert(self.ml, props)["live"])

    def call(self, times: int) -> list[requests.Response]:
        target = ScoringTarget.of(self.ml, self.name)
        headers = {"Authorization": f"Bearer {access_key(target)}"}
        return [
            requests.post(target.scoring_uri, json={"caller": "user"}, headers=headers, timeout=60)
            for _ in range(times)
        ]

    def bake(self, seconds: float) -> None:
        """Pass the time by amlite's clock; at the beginning of each step there are callers."""
        if self.lost_after is not None and len(self.slept) >= self.lost_after:
            raise KeyboardInterrupt
        if sum(self.slept) >= self.next_calls:
            self.call(16)
            self.next_calls += BAKE - 60
        self.slept.append(seconds)
        self.azure.advance(seconds)

    def tags(self) -> dict[str, str]:
        return dict(self.ml.online_endpoints.get(self.name).tags)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead + timedelta(seconds=sum(self.slept))

    def deployments(self) -> list[str]:
        return [each.name for each in self.ml.online_deployments.list(self.name)]


@pytest.fixture
def site(
    tmp_path: Path, azureml_workspace: Workspace, serving_environment: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    monkeypatch.chdir(tmp_path)
    made = Site(tmp_path, azureml_workspace.client(), azureml_workspace.azure, serving_environment)
    monkeypatch.setattr(online_endpoint, "Rollout", functools.partial(Rollout, sleep=made.bake, now=made.now))
    yield made
    OPERATIONS["online_endpoint"].remove(made.ml, made.props())


def test_a_canary_by_a_clock_that_is_moved(site: Site) -> None:
    """Checked by the metrics of the requests that it really served, lost in a bake, and gone on with."""
    checks: dict[str, Any] = {"max_error_percent": 5.0, "max_latency_ms": 30_000, "min_requests": 4}
    first = site.up(site.props(**checks))
    assert site.slept == []
    began = time.monotonic()
    wanted = site.props(level="debug", **checks)
    site.lost_after = 2
    with pytest.raises(KeyboardInterrupt):
        site.up(wanted)
    # Two minutes of the first step have passed.
    assert site.slept == [60.0] * 2
    assert json.loads(site.tags()[progress.TAG])["percent"] == 25
    assert first in site.deployments()
    site.lost_after = None
    live = site.up(wanted)
    assert (site.deployments(), live == first) == ([live], False)
    # What was left of the first step, and the second.
    assert BAKE * 2 - 120 < sum(site.slept) < BAKE * 2 + 120
    assert time.monotonic() - began < BAKE
    assert progress.TAG not in site.tags()
    assert {answer.json() for answer in site.call(4)} == {"debug"}


def test_a_canary_that_fails_its_callers_is_returned_from(site: Site) -> None:
    first = site.up(site.props())
    with pytest.raises(RolloutError, match=r"failed its checks at 25 %.*100\.0 % of its|requests failed") as raised:
        site.up(site.props(FAILS, max_error_percent=5.0, min_requests=3))
    assert "no such feature" in str(raised.value)
    assert len(site.slept) == 1
    assert site.deployments() == [first]
    assert progress.TAG not in site.tags()
    assert {answer.status_code for answer in site.call(4)} == {200}


def test_what_is_changed_by_hand_is_seen_and_set_back_and_a_count_is_changed_in_place(
    site: Site, azureml_workspace: Workspace
) -> None:
    props = site.props()
    live = site.up(props)
    kind = OPERATIONS["online_endpoint"]
    observed = kind.observe(site.ml, props)
    assert observed == props
    by_hand = site.ml.online_deployments.get(live, site.name)
    by_hand.environment_variables = {"LEVEL": "trace"}
    by_hand.instance_count = 2
    by_hand.data_collector = None
    site.ml.online_deployments.begin_create_or_update(by_hand).result()
    observed = kind.observe(site.ml, props)
    assert observed is not None
    definition = props["deployment"]["definition"]
    changed = {"environment_variables": {"LEVEL": "trace"}, "instance_count": 2}
    seen = observed["deployment"]["definition"]
    assert seen["data_collector"]["collections"] == {}
    assert seen == {**definition, **changed, "data_collector": seen["data_collector"]}
    assert site.up(props) == live
    assert kind.observe(site.ml, props) == props
    assert {answer.json() for answer in site.call(1)} == {"info"}
    more = site.props(count=3)
    assert site.up(more) == live
    assert site.ml.online_deployments.get(live, site.name).instance_count == 3
    assert site.slept == []


def test_autoscale_follows_each_new_deployment(site: Site, azureml_workspace: Workspace) -> None:
    rules = AutoscaleArgs(min_instances=2, max_instances=4, cpu_percent=70, latency_ms=200)

    def settings() -> list[str]:
        answer = azureml_workspace.azure.arm("GET", f"{GROUP_ID}/providers/{SETTINGS}", version="2022-10-01")
        return [each["name"] for each in answer.json()["value"] if site.name in each["name"]]

    first = site.up(site.props())
    scaled = site.props(autoscale=rules)
    assert site.up(scaled) == first
    assert settings() == [f"{azureml_workspace.name}-{site.name}-{first}"]
    # Azure has scaled it out to what is the least: no drift.
    assert site.ml.online_deployments.get(first, site.name).instance_count == 2
    assert OPERATIONS["online_endpoint"].observe(site.ml, scaled) == scaled
    live = site.up(site.props(level="debug", autoscale=rules))
    assert settings() == [f"{azureml_workspace.name}-{site.name}-{live}"]
    assert site.deployments() == [live]
    OPERATIONS["online_endpoint"].remove(site.ml, site.props())
    assert settings() == []


def test_an_endpoint_made_by_others_is_adopted_without_downtime(site: Site, make_theirs: Callable[[str], str]) -> None:
    theirs = make_theirs(site.name)
    nothing = {**site.props(), "deployment": None, "traffic": {}, "adopt": True}
    assert site.up(nothing) == ""
    assert {answer.json() for answer in site.call(2)} == {"theirs"}
    observed = OPERATIONS["online_endpoint"].observe(site.ml, nothing)
    assert observed == nothing
    live = site.up({**site.props(), "adopt": True})
    assert site.deployments() == [live]
    assert theirs != live
    assert {answer.json() for answer in site.call(2)} == {"info"}


@pytest.fixture
def make_theirs(site: Site) -> Callable[[str], str]:
    """Return a function that makes an endpoint with a deployment by hand."""

    def make(name: str) -> str:
        from azure.ai.ml.entities import CodeConfiguration as Code
        from azure.ai.ml.entities import ManagedOnlineDeployment, ManagedOnlineEndpoint

        site.props()
        ml = site.ml
        ml.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=name, auth_mode="key")).result()
        deployment = ManagedOnlineDeployment(
            name="theirs",
            endpoint_name=name,
            environment=site.environment,
            code_configuration=Code(code=str(site.root / "score"), scoring_script="score.py"),
            environment_variables={"LEVEL": "theirs"},
            instance_type="Standard_DS3_v2",
            instance_count=1,
        )
        ml.online_deployments.begin_create_or_update(deployment).result()
        made = ml.online_endpoints.get(name)
        made.traffic = {"theirs": 100}
        ml.online_endpoints.begin_create_or_update(made).result()
        return "theirs"

    return make
