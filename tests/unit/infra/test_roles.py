"""Roles as Azure has them, and the wait until they are in effect."""

from __future__ import annotations

import asyncio

import pulumi
import pytest

from amlite.core.access import ROLES
from infra.roles import propagation
from infra.roles.definitions import CI_ROLE, Role
from infra.roles.grants import GRANTS

REFUSED = "Code=\"AuthorizationFailed\" Message=\"The client 'x' does not have authorization to perform action 'y'\""


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(propagation.asyncio, "sleep", sleep)
    monkeypatch.setattr(pulumi.log, "info", lambda *_: None)
    return waits


def wait(errors: list[str], operation: str = "create") -> bool:
    args = pulumi.ErrorHookArgs("urn", "", "workspace", "type", failed_operation=operation, errors=errors)
    return asyncio.run(propagation.wait(args))


def test_the_roles_are_azures() -> None:
    assert {role.value: role.title for role in Role} == {
        role.value: ROLES[role.value].name for role in Role if role.value in ROLES
    }


def test_the_role_of_ci_names_actions_that_azure_has() -> None:
    """Azure refuses others with InvalidActionOrNotAction. Source: "Azure permissions for AI + machine learning"."""
    workspaces = "Microsoft.MachineLearningServices/workspaces"
    assert set(CI_ROLE.not_actions) == {
        f"{workspaces}/write",
        f"{workspaces}/delete",
        f"{workspaces}/listKeys/action",
        f"{workspaces}/listStorageAccountKeys/action",
        f"{workspaces}/connections/listsecrets/action",
        f"{workspaces}/privateEndpointConnections/write",
        f"{workspaces}/privateEndpointConnections/delete",
    }


def test_every_role_has_a_reason_and_is_granted_once() -> None:
    assert all(grant.reason and grant.page for grant in GRANTS)
    keys = [(grant.who, grant.scope, grant.role) for grant in GRANTS]
    assert len(set(keys)) == len(keys)


def test_a_resource_waits_for_roles_for_more_than_ten_minutes(slept: list[float]) -> None:
    """Source: "Troubleshoot Azure RBAC": changes take up to 10 minutes to take effect."""
    errors: list[str] = []
    while wait([REFUSED, *errors]):
        errors.append(REFUSED)
    assert slept == list(propagation.WAITS)
    assert sum(slept) >= 660


@pytest.mark.parametrize(
    ("errors", "operation"),
    [
        (['Code="InvalidResourceName"'], "create"),
        (['Code="ValidationError"', REFUSED], "create"),
        ([REFUSED], "delete"),
        ([], "create"),
    ],
)
def test_what_no_role_would_change_is_not_repeated(errors: list[str], operation: str, slept: list[float]) -> None:
    assert wait(errors, operation) is False
    assert slept == []
