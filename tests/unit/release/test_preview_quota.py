"""What the rollouts of a preview need of the quota, beside what is left."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from pulumi_azureml.operations import Demand, Need
from release.planned import PlannedResource
from release.preview import quota

ENDPOINT = "pulumi-python:dynamic/azureml:OnlineEndpoint"


def planned(before: str | None, after: str | None, count: int = 2, **more: Any) -> PlannedResource:
    """Return an endpoint whose deployment has one content before an update, and another one after it."""

    def inputs(content: str | None) -> dict[str, Any] | None:
        definition = {"instance_type": "Standard_DS3_v2", "instance_count": count}
        deployment = {"name": "blue", "content_hash": content, "path": "ml/deploy/blue.yml", "definition": definition}
        place = {"workspace": {"subscription_id": "s", "resource_group": None, "name": None}, "location": "westeurope"}
        return {"definition": {}, **place, "deployment": deployment, **more} if content else None

    return PlannedResource(ENDPOINT, "endpoint-flights", inputs(before), inputs(after))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[Need]]]:
    """Let Azure have 20 vCPUs of each region, and return what was asked for."""
    found: list[tuple[str, list[Need]]] = []

    def demands(client: Any, location: str, needs: list[Need]) -> list[Demand]:
        found.append((location, needs))
        return [Demand("Standard DSv2 Family Cluster Dedicated vCPUs", 4 * sum(each.instances for each in needs), 20)]

    monkeypatch.setattr(quota, "connect", lambda place: place)
    monkeypatch.setattr(quota, "demands", demands)
    return found


def test_new_deployments_of_a_region_are_asked_for_together(asked: list[tuple[str, list[Need]]]) -> None:
    found = quota.part([planned("1", "2"), planned(None, "3"), planned("1", "2", location="uksouth")])
    assert found is not None
    need, other = found
    assert (other.location, other.needed) == ("uksouth", 8)
    assert (need.family, need.location, need.needed, need.free) == (
        "Standard DSv2 Family Cluster Dedicated vCPUs", "westeurope", 16, 20,
    )  # fmt: skip
    assert [(location, len(needs)) for location, needs in asked] == [("westeurope", 2), ("uksouth", 1)]


@pytest.mark.parametrize(
    "resource",
    [
        planned("1", "1"),
        planned("1", None),
        planned(None, "1", location=None),
        planned(None, "1", definition={"compute": "azureml:kubernetes"}),
        planned(None, "1", deployment=None),
        PlannedResource("azure-native:storage:StorageAccount", "storage", None, {"location": "westeurope"}),
    ],
)
def test_what_needs_no_quota_asks_nothing(asked: list[tuple[str, list[Need]]], resource: PlannedResource) -> None:
    assert quota.part([resource]) == []
    assert asked == []


def test_a_quota_that_cannot_be_read_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise HttpResponseError("(AuthorizationFailed)")

    monkeypatch.setattr(quota, "connect", lambda place: place)
    monkeypatch.setattr(quota, "demands", refuse)
    assert quota.part([planned("1", "2")]) is None
