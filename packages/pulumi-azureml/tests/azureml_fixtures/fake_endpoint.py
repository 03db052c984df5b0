"""An online endpoint that keeps Azure's rules, for tests of rollouts: time passes as its clock is moved."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from pulumi_azureml.operations import autoscale, checks, rollout, scoring
from pulumi_azureml.operations.ownership import OWNER
from pulumi_azureml.operations.rollout import Rollout
from pulumi_azureml.resources.arguments import plain
from pulumi_azureml.resources.rollout import ChecksArgs

US, THEM = "azureml-platform/test", "azureml-platform/other"
ID = (
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/onlineEndpoints/flights"
)
BEGAN = datetime(2026, 1, 31, 12, tzinfo=UTC)
RULES = {"min_instances": 2, "max_instances": 5, "cpu_percent": 70}


class Cut(BaseException):
    """The process was lost."""


class Done:
    """What the client's long-running calls return."""

    def __init__(self, error: HttpResponseError | None = None, effect: Callable[[], None] = lambda: None) -> None:
        self.error = error
        self.effect = effect

    def wait(self, _seconds: float) -> None: ...

    def done(self) -> bool:
        return True

    def result(self) -> None:
        if self.error:
            raise self.error
        self.effect()


class FakeEndpoint:
    """An endpoint with Azure's rules: traffic goes to deployments that exist, one with traffic cannot be deleted.

    `cut` loses the process at one request (number, from 1): "before" it has an effect, "during" a deployment's
    creation, or "after" the effect and before the answer. What has served once must go on, unless `may_stop`.
    """

    def __init__(self) -> None:
        self.deployments: dict[str, Any] = {}
        self.traffic: dict[str, int] = {}
        self.tags: dict[str, str] = {}
        self.settings: dict[str, Any] = {}
        self.broken: set[str] = set()
        self.fails_smoke: set[str] = set()
        self.refuses_traffic: dict[str, int] | None = None
        self.statuses: dict[str, dict[str, float]] = {}
        self.latency = 20.0
        self.log: list[str] = []
        self.slept: list[float] = []
        self.time = BEGAN
        self.requests = 0
        self.serving = False
        self.may_stop = False
        self.cut: tuple[int, str] | None = None
        self.online_endpoints = SimpleNamespace(get=self._endpoint, begin_create_or_update=self._set_traffic)
        self.online_deployments = SimpleNamespace(
            list=lambda _endpoint: self._request(lambda: list(self.deployments.values())),
            begin_create_or_update=self._deploy,
            begin_delete=self._delete,
            get_logs=lambda name, endpoint_name, lines: f"the log of {name}",
        )

    def add(self, name: str, state: str = "Succeeded", owner: str | None = US, share: int = 0, **more: Any) -> None:
        self.deployments[name] = wanted(name, state=state, owner=owner, **more)
        if share:
            self.traffic[name] = share

    def _request(self, effect: Callable[[], Any], during: Callable[[], Any] = lambda: None) -> Any:
        self.requests += 1
        number, moment = self.cut or (0, "")
        lost = self.requests == number
        if lost and moment != "after":
            if moment == "during":
                during()
            raise Cut
        try:
            result = effect()
        finally:
            self.serves()
            if lost:
                raise Cut
        return result

    def serves(self) -> None:
        """Fail unless all traffic goes to deployments that can answer."""
        total = sum(self.traffic.values())
        assert total == 100 or (total == 0 and (self.may_stop or not self.serving))
        self.serving = total == 100
        assert all(self.deployments[name].provisioning_state == "Succeeded" for name in self.traffic)

    def _endpoint(self, name: str) -> Any:
        return self._request(
            lambda: SimpleNamespace(
                id=ID, name=name, scoring_uri="https://flights.westeurope.inference.ml.azure.com/score",
                auth_mode="key", location="westeurope", traffic=dict(self.traffic), tags=dict(self.tags),
            )
        )  # fmt: skip

    def _set_traffic(self, endpoint: Any) -> Done:
        def effect() -> Done:
            if endpoint.traffic == self.refuses_traffic:
                return Done(HttpResponseError("no traffic for you"))
            assert set(endpoint.traffic) <= set(self.deployments)
            moved = self.traffic != endpoint.traffic
            self.traffic, self.tags = dict(endpoint.traffic), dict(endpoint.tags)
            self.log.append(f"traffic {self.traffic}" if moved else "untag")
            return Done()

        result: Done = self._request(effect)
        return result

    def _deploy(self, entity: Any) -> Done:
        def put(state: str) -> None:
            entity.provisioning_state = state
            self.deployments[entity.name] = entity

        def effect() -> Done:
            self.log.append(f"deploy {entity.name}")
            broken = entity.name in self.broken
            put("Failed" if broken else "Succeeded")
            return Done(HttpResponseError("ImportError") if broken else None)

        in_place = self.traffic.get(entity.name)
        result: Done = self._request(effect, lambda: None if in_place else put("Creating"))
        return result

    def _delete(self, name: str, endpoint_name: str) -> Done:
        def effect() -> Done:
            assert not self.traffic.get(name), f"{name} of {endpoint_name} has traffic"
            if name not in self.deployments:
                raise ResourceNotFoundError("gone")
            del self.deployments[name]
            self.log.append(f"delete {name}")
            return Done()

        result: Done = self._request(effect)
        return result

    def send(self, method: str, id_: str, _version: str, body: Any = None, query: Any = None) -> Any:
        """Answer plain ARM requests: autoscale settings and metrics."""
        if id_.endswith("/metrics"):
            return self._request(lambda: self._metrics(query))
        name = id_.rpartition("w-flights-")[2]
        if method == "GET":
            if name not in self.settings:
                raise ResourceNotFoundError("404")
            return self.settings[name]
        effects: dict[str, Callable[[], Any]] = {
            "PUT": lambda: self.settings.update({name: body}),
            "DELETE": lambda: self.settings.pop(name, None),
        }
        self.log.append(f"{method} autoscale {name}")
        return self._request(effects[method])

    def _metrics(self, query: Any) -> Any:
        name = query["$filter"].split("'")[1]
        self.log.append(f"{query['metricnames']} {name}")
        if query["metricnames"] == "RequestLatency_P95":
            return _series({"": self.latency})
        return _series(self.statuses.get(name, {}))

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)
        for each in self.deployments.values():
            if each.provisioning_state == "Creating":
                each.provisioning_state = "Succeeded"


def _series(values: dict[str, float]) -> Any:
    return {
        "value": [
            {
                "timeseries": [
                    {
                        "metadatavalues": [{"name": {"value": "statuscode"}, "value": status}],
                        "data": [{"timeStamp": "2026-01-31T12:00:00Z", "average": value}, {"timeStamp": "later"}],
                    }
                    for status, value in values.items()
                ]
            }
        ]
    }


def wanted(name: str, state: str = "", owner: str | None = US, description: str | None = None, **more: Any) -> Any:
    tags = {OWNER: owner} if owner else {}
    more = {"data_collector": None, **more}
    return SimpleNamespace(name=name, tags=tags, description=description, provisioning_state=state, **more)


def prepared(patch: pytest.MonkeyPatch, root: Path) -> FakeEndpoint:
    """Return an endpoint that every request of a rollout goes to."""
    (root / "request.json").write_text('{"value": 1}')
    patch.setattr(rollout, "project_root", lambda: root)
    patch.setattr(checks, "project_root", lambda: root)
    fake = FakeEndpoint()
    patch.setattr(autoscale, "send", fake.send)
    patch.setattr(checks, "send", fake.send)

    def answer(target: scoring.ScoringTarget, request: Any, deployment: str) -> Any:
        assert request == {"value": 1}
        assert target.id == ID

        def effect() -> Any:
            fake.log.append(f"smoke {deployment}")
            if deployment in fake.fails_smoke:
                raise HttpResponseError("424 model error")
            return {}

        return fake._request(effect)

    patch.setattr(rollout, "score", answer)
    return fake


def run(
    fake: FakeEndpoint, name: str | None, steps: tuple[float, ...] = (100,), smoke: str | None = "request.json",
    bake: float = 0.0, checked: dict[str, Any] | None = None, definition: dict[str, Any] | None = None, **more: Any,
) -> Any:  # fmt: skip
    props = {
        "name": "flights",
        "definition": {"name": "flights"},
        "owner": US,
        "smoke_request": smoke,
        "deployment": {"definition": definition or {}},
        "rollout": {
            "steps": list(steps),
            "bake_seconds": bake,
            "checks": plain(ChecksArgs(**checked)) if checked else None,
        },
        **more,
    }
    entity = wanted(name, **(definition or {})) if name else None
    return Rollout(fake, props, fake.sleep, lambda: fake.time).run(entity, name)  # type: ignore[arg-type]
