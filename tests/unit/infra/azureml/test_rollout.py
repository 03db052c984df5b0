"""Rollouts against a fake endpoint that keeps Azure's rules: what happens in which order, what a failure leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from infra.azureml import rollout, scoring
from infra.azureml.errors import OwnershipError, RolloutError
from infra.azureml.ownership import OWNER
from infra.azureml.rollout import Rollout, scaled

US, THEM = "azureml-platform/test", "azureml-platform/other"


class Done:
    """What the client's long-running calls return."""

    def __init__(self, error: HttpResponseError | None = None) -> None:
        self.error = error

    def result(self) -> None:
        if self.error:
            raise self.error


class FakeEndpoint:
    """An endpoint with Azure's rules: traffic goes to deployments that exist, one with traffic cannot be deleted."""

    def __init__(self) -> None:
        self.deployments: dict[str, Any] = {}
        self.traffic: dict[str, int] = {}
        self.broken: set[str] = set()
        self.fails_smoke: set[str] = set()
        self.refuses_traffic: dict[str, int] | None = None
        self.log: list[str] = []
        self.slept: list[float] = []
        self.online_endpoints = SimpleNamespace(get=self._endpoint, begin_create_or_update=self._set_traffic)
        self.online_deployments = SimpleNamespace(
            list=lambda _endpoint: list(self.deployments.values()),
            begin_create_or_update=self._deploy,
            begin_delete=self._delete,
            get_logs=lambda name, endpoint_name, lines: f"the log of {name}",
        )

    def add(self, name: str, state: str = "Succeeded", owner: str = US, share: int = 0) -> None:
        self.deployments[name] = wanted(name, state=state, owner=owner)
        if share:
            self.traffic[name] = share

    def _endpoint(self, name: str) -> Any:
        return SimpleNamespace(name=name, traffic=dict(self.traffic))

    def _set_traffic(self, endpoint: Any) -> Done:
        if endpoint.traffic == self.refuses_traffic:
            return Done(HttpResponseError("no traffic for you"))
        assert sum(endpoint.traffic.values()) in (0, 100)
        assert set(endpoint.traffic) <= set(self.deployments)
        self.traffic = dict(endpoint.traffic)
        self.log.append(f"traffic {self.traffic}")
        return Done()

    def _deploy(self, entity: Any) -> Done:
        self.log.append(f"deploy {entity.name}")
        entity.provisioning_state = "Failed" if entity.name in self.broken else "Succeeded"
        self.deployments[entity.name] = entity
        return Done(HttpResponseError("ImportError") if entity.name in self.broken else None)

    def _delete(self, name: str, endpoint_name: str) -> Done:
        assert not self.traffic.get(name), f"{name} of {endpoint_name} has traffic"
        if name not in self.deployments:
            raise ResourceNotFoundError("gone")
        del self.deployments[name]
        self.log.append(f"delete {name}")
        return Done()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        for each in self.deployments.values():
            if each.provisioning_state == "Creating":
                each.provisioning_state = "Succeeded"


def wanted(name: str, state: str = "", owner: str = US, description: str | None = None) -> Any:
    return SimpleNamespace(name=name, tags={OWNER: owner}, description=description, provisioning_state=state)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeEndpoint]:
    (tmp_path / "request.json").write_text('{"value": 1}')
    monkeypatch.setattr(rollout, "project_root", lambda: tmp_path)
    fake = FakeEndpoint()

    def answer(_ml: Any, _endpoint: str, request: Any, deployment: str) -> Any:
        assert request == {"value": 1}
        fake.log.append(f"smoke {deployment}")
        if deployment in fake.fails_smoke:
            raise HttpResponseError("424 model error")
        return {}

    monkeypatch.setattr(rollout, "score", answer)
    yield fake
    assert sum(fake.traffic.values()) in (0, 100)


def run(
    fake: FakeEndpoint, name: str | None, steps: tuple[int, ...] = (100,), smoke: str | None = "request.json"
) -> Any:
    props = {
        "name": "flights",
        "owner": US,
        "smoke_request": smoke,
        "rollout": {"steps": list(steps), "bake_seconds": 600.0},
    }
    return Rollout(fake, props, fake.sleep).run(wanted(name) if name else None, name)  # type: ignore[arg-type]


def test_the_first_deployment_is_tested_before_it_gets_traffic(endpoint: FakeEndpoint) -> None:
    assert run(endpoint, "blue-1", steps=(10, 50, 100)) == "blue-1"
    assert endpoint.log == ["deploy blue-1", "smoke blue-1", "traffic {'blue-1': 100}"]
    assert endpoint.slept == []


def test_an_update_deploys_beside_the_old_one_and_deletes_it_last(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=100)
    run(endpoint, "blue-2")
    assert endpoint.log == ["deploy blue-2", "smoke blue-2", "traffic {'blue-2': 100}", "delete blue-1"]


def test_traffic_moves_in_steps_with_a_bake_and_a_smoke_test_after_each(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=100)
    run(endpoint, "blue-2", steps=(10, 50, 100))
    assert endpoint.log == [
        "deploy blue-2",
        "smoke blue-2",
        "traffic {'blue-1': 90, 'blue-2': 10}",
        "smoke blue-2",
        "traffic {'blue-1': 50, 'blue-2': 50}",
        "smoke blue-2",
        "traffic {'blue-2': 100}",
        "delete blue-1",
    ]
    assert endpoint.slept == [600.0, 600.0]


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
    with pytest.raises(RolloutError, match=r"(?s)failed its smoke test with request.json: 424 .*the log of blue-2"):
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
    with pytest.raises(RolloutError, match=r"refused traffic.*no traffic for you"):
        run(endpoint, "blue-2", steps=(10, 50, 100))
    assert (list(endpoint.deployments), endpoint.traffic) == (["blue-1"], {"blue-1": 100})


def test_what_cannot_be_taken_back_is_said(endpoint: FakeEndpoint) -> None:
    endpoint.add("blue-1", share=100)
    original = endpoint.online_deployments.begin_delete
    endpoint.broken = {"blue-2"}

    def refuse(name: str, endpoint_name: str) -> Done:
        raise HttpResponseError("Azure is on holiday")

    endpoint.online_deployments.begin_delete = refuse
    with pytest.raises(RolloutError, match=r"(?s)ImportError.*which the next update does: Azure is on holiday"):
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


def test_a_smoke_test_names_its_deployment_to_no_other_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """azure-ai-ml's own invoke shares one dictionary of headers among all calls."""
    sent: list[Any] = []

    class Response:
        status_code, reason = 200, "OK"

        def json(self) -> Any:
            return {"ok": True}

    class Client:
        def __init__(self, base_url: str) -> None:
            self.base_url = base_url

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            return

        def send_request(self, request: Any) -> Response:
            sent.append(request)
            return Response()

    monkeypatch.setattr("azure.core.PipelineClient", Client)
    operations = SimpleNamespace(
        get=lambda _name: SimpleNamespace(scoring_uri="https://flights.westeurope.inference.ml.azure.com/score"),
        get_keys=lambda _name: SimpleNamespace(primary_key=None, access_token="token"),
    )
    ml: Any = SimpleNamespace(online_endpoints=operations)
    assert scoring.score(ml, "flights", {"a": 1}, "blue-2") == {"ok": True}
    assert scoring.score(ml, "flights", {"a": 1}) == {"ok": True}
    assert [request.headers.get("azureml-model-deployment") for request in sent] == ["blue-2", None]
    assert json.loads(sent[0].content) == {"a": 1}
    assert sent[0].headers["Authorization"] == "Bearer token"
