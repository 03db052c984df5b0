"""The findings of `release doctor` about the sign-in and the subscription: how bad they are, and their fixes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError

from release.doctor.checks import clock, images, permissions, providers, quota, sign_in
from release.doctor.findings import Level
from release.doctor.subject import Account
from tests.unit.release.examined import CONTRIBUTOR, OWNER, READER, FakeSubject, RefusalError, levels, only


@pytest.fixture
def subject(tmp_path: Path) -> FakeSubject:
    return FakeSubject(tmp_path)


@pytest.mark.parametrize("module", [sign_in, clock, providers, permissions, quota, images])
def test_a_stack_without_mistakes_has_no_problem(module: Any, subject: FakeSubject) -> None:
    assert levels(module.check(subject)) == {Level.OK}


def test_sign_in_another_tenant(subject: FakeSubject) -> None:
    subject.account = Account("another", "object", "client", "somebody")
    found = only(sign_in.check(subject), Level.PROBLEM)
    assert "tenant another" in found.what
    assert found.fix.startswith("az login --tenant 10ca1000-")


def test_sign_in_nobody(subject: FakeSubject, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> Account:
        raise ClientAuthenticationError("DefaultAzureCredential failed\nAttempted credentials: …")

    del subject.account
    monkeypatch.setattr(FakeSubject, "account", property(refuse))
    found = only(sign_in.check(subject), Level.PROBLEM)
    assert (found.what, found.why) == ("nobody is signed in to Azure", "DefaultAzureCredential failed")


def test_sign_in_another_subscription(subject: FakeSubject) -> None:
    subject.arm.answers[subject.subscription[1:]] = RefusalError(404, "SubscriptionNotFound")
    found = only(sign_in.check(subject), Level.PROBLEM)
    assert "SubscriptionNotFound" in found.why
    assert "az account set --subscription" in found.fix


def test_sign_in_a_disabled_subscription(subject: FakeSubject) -> None:
    subject.arm.answers[subject.subscription[1:]] = {"state": "Disabled"}
    assert "disabled" in only(sign_in.check(subject), Level.PROBLEM).what


def test_sign_in_an_identity_of_the_resource_grouponly(subject: FakeSubject) -> None:
    subject.arm.answers[subject.subscription[1:]] = RefusalError(403, "AuthorizationFailed")
    assert levels(sign_in.check(subject)) == {Level.OK}


def test_sign_in_two_identities(subject: FakeSubject) -> None:
    subject.environment = {"ARM_CLIENT_ID": "another"}
    assert "azure-native signs in as another" in only(sign_in.check(subject), Level.WARNING).what


def test_sign_in_an_id_token_that_is_not_renewed(subject: FakeSubject) -> None:
    subject.environment = {"ARM_OIDC_TOKEN": "secret"}
    found = only(sign_in.check(subject), Level.WARNING)
    assert "AADSTS700024" in found.why
    assert "release ci-login" in found.fix
    assert "secret" not in found.model_dump_json()


@pytest.mark.parametrize(
    ("skew", "level", "said"),
    [
        (3.0, Level.OK, "agrees"),
        (-90.0, Level.WARNING, "90 s behind"),
        (400.0, Level.PROBLEM, "400 s ahead of"),
        (None, Level.WARNING, "not checked"),
    ],
)
def test_clock(skew: float | None, level: Level, said: str, subject: FakeSubject) -> None:
    subject.arm.skew = skew
    assert said in only(clock.check(subject), level).what


def test_providers_those_that_azure_native_does_not_register(subject: FakeSubject) -> None:
    for name in ("Microsoft.Cdn", "Microsoft.Network", "Microsoft.Storage"):
        subject.arm.answers[f"providers/{name}"] = {"registrationState": "NotRegistered"}
    found = list(providers.check(subject))
    assert "not registered for Microsoft.Cdn, Microsoft.Network" in only(found, Level.PROBLEM).what
    assert "for each in Microsoft.Storage Microsoft.Cdn Microsoft.Network; do az provider register" in (
        only(found, Level.PROBLEM).fix
    )
    assert only(found, Level.OK).what == "azure-native will register Microsoft.Storage"


@pytest.mark.parametrize(
    ("monitoring", "said"),
    [
        ({}, "the subscription is registered for all 10 resource providers"),
        ({"emails": ["ml@contoso.com"]}, "azure-native will register Microsoft.EventGrid"),
        ({"retrain": {"schedule": "daily"}}, "azure-native will register Microsoft.EventGrid, Microsoft.Logic"),
    ],
)
def test_providers_of_events_are_needed_where_the_stack_reacts_to_drift(
    monitoring: dict[str, Any], said: str, subject: FakeSubject
) -> None:
    for name in ("Microsoft.EventGrid", "Microsoft.Logic"):
        subject.arm.answers[f"providers/{name}"] = {"registrationState": "NotRegistered"}
    subject.set("monitoring", **monitoring)
    assert only(providers.check(subject), Level.OK).what == said


def test_providers_those_that_azure_native_may_not_register(subject: FakeSubject) -> None:
    subject.arm.answers["providers/Microsoft.Storage"] = {"registrationState": "NotRegistered"}
    subject.arm.answers["Microsoft.Authorization/permissions"] = {"value": [READER]}
    assert "no right to" in only(providers.check(subject), Level.PROBLEM).why


def test_providers_a_region_without_azure_machine_learning(subject: FakeSubject) -> None:
    subject.document["config"]["azure-native:location"] = "antarctica"
    found = only(providers.check(subject), Level.PROBLEM)
    assert "not available in antarctica" in found.what
    assert found.fix == "pulumi config set azure-native:location northeurope -s test"


def test_permissions_a_reader(subject: FakeSubject) -> None:
    subject.arm.answers["Microsoft.Authorization/permissions"] = {"value": [READER]}
    create, assign = [each for each in permissions.check(subject) if each.level is Level.PROBLEM]
    assert "Microsoft.MachineLearningServices/workspaces/write" in create.why
    assert '--role "Contributor" --assignee object --scope /subscriptions/' in create.fix
    assert "may not assign roles" in assign.what


def test_permissions_a_contributor_cannot_assign_roles(subject: FakeSubject) -> None:
    subject.arm.answers["Microsoft.Authorization/permissions"] = {"value": [CONTRIBUTOR]}
    assert '"User Access Administrator"' in only(permissions.check(subject), Level.PROBLEM).fix


def test_permissions_who_assigns_roles_also_creates_that_of_ci(subject: FakeSubject) -> None:
    """Role Based Access Control Administrator may assign roles, and not create any."""
    assigns = {"actions": ["Microsoft.Authorization/roleAssignments/write"], "notActions": []}
    subject.arm.answers["Microsoft.Authorization/permissions"] = {"value": [CONTRIBUTOR, assigns]}
    assert '"User Access Administrator"' in only(permissions.check(subject), Level.PROBLEM).fix


def test_permissions_a_contributor_deploys_again(subject: FakeSubject) -> None:
    subject.deploy()
    subject.arm.answers["Microsoft.Authorization/permissions"] = {"value": [CONTRIBUTOR]}
    assert "An update that changes no role" in only(permissions.check(subject), Level.WARNING).why


def test_permissions_an_owner_has_no_data_actions(subject: FakeSubject) -> None:
    subject.set("access", deployer=False)
    found = only(permissions.check(subject), Level.PROBLEM)
    assert "403" in found.why
    assert found.fix == "pulumi config set --path azureml-platform:access.deployer true -s test"


def test_permissions_a_member_of_a_group_perhaps(subject: FakeSubject) -> None:
    group = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
    subject.set("access", deployer=False, owners=[group])
    assert group in only(permissions.check(subject), Level.WARNING).fix


@pytest.mark.parametrize("data", [["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/*"], ["*"]])
def test_permissions_a_data_role(data: list[str], subject: FakeSubject) -> None:
    subject.set("access", deployer=False)
    subject.arm.answers["Microsoft.Authorization/permissions"] = {"value": [OWNER, {"dataActions": data}]}
    assert levels(permissions.check(subject)) == {Level.OK}


def test_permissions_keys(subject: FakeSubject) -> None:
    subject.set("access", deployer=False)
    subject.set("storage", sharedKeyAccess=True)
    assert levels(permissions.check(subject)) == {Level.OK}
