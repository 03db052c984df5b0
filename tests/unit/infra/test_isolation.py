"""The check of a changed network isolation. Azure's answers are made up; tests/e2e shows it by the engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pulumi
import pytest

from infra import isolation
from infra.settings.network import Isolation
from pulumi_azureml.operations import arm

WORKSPACE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
OPEN, INTERNET, APPROVED = Isolation
CLUSTER = {"id": f"{WORKSPACE}/computes/cpu-cluster", "name": "cpu-cluster", "properties": {}}
ATTACHED = {"id": f"{WORKSPACE}/computes/aks", "name": "aks", "properties": {"isAttachedCompute": True}}
ENDPOINT = {"id": f"{WORKSPACE}/onlineEndpoints/flights", "name": "flights", "properties": {}}
ON_KUBERNETES = {"id": f"{WORKSPACE}/onlineEndpoints/own", "name": "own", "properties": {"compute": ATTACHED["id"]}}


def update(before: Isolation, after: Isolation) -> pulumi.ResourceHookArgs:
    def inputs(mode: Isolation) -> dict[str, Any]:
        return {} if mode is Isolation.DISABLED else {"managedNetwork": {"isolationMode": mode.value}}

    return pulumi.ResourceHookArgs(
        urn="urn", id=WORKSPACE, name="workspace", type="t", old_inputs=inputs(before), new_inputs=inputs(after)
    )


@pytest.fixture
def has(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return what the workspace has, for a test to fill."""
    found: list[dict[str, Any]] = []

    def pages(path: str, _version: str) -> Iterator[dict[str, Any]]:
        return (each for each in found if each["id"].startswith(path))

    monkeypatch.setattr(arm, "pages", pages)
    return found


@pytest.mark.parametrize(("before", "after"), [(OPEN, OPEN), (APPROVED, APPROVED), (INTERNET, APPROVED)])
async def test_what_azure_accepts_is_not_asked_for(
    monkeypatch: pytest.MonkeyPatch, before: Isolation, after: Isolation
) -> None:
    monkeypatch.setattr(arm, "pages", pytest.fail)
    await isolation.check(update(before, after))


@pytest.mark.parametrize(("before", "after"), [(INTERNET, OPEN), (APPROVED, OPEN), (APPROVED, INTERNET)])
async def test_less_strict_isolation_is_refused(before: Isolation, after: Isolation) -> None:
    with pytest.raises(RuntimeError, match=f"fix: set azureml-platform:network.isolation to {before}"):
        await isolation.check(update(before, after))


async def test_a_workspace_with_compute_or_endpoints_is_not_isolated(has: list[dict[str, Any]]) -> None:
    has += [CLUSTER, ATTACHED, ENDPOINT, ON_KUBERNETES]
    with pytest.raises(RuntimeError) as refused:
        await isolation.check(update(OPEN, APPROVED))
    said = str(refused.value)
    assert "This workspace has: compute cpu-cluster, online endpoint flights." in said
    assert f"az resource delete --ids {CLUSTER['id']} {ENDPOINT['id']}\n" in said


async def test_attached_compute_is_not_in_the_way(has: list[dict[str, Any]]) -> None:
    has += [ATTACHED, ON_KUBERNETES]
    await isolation.check(update(OPEN, INTERNET))
