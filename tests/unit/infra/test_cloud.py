"""A program that would reach another cloud than its stack's stops."""

from __future__ import annotations

import jwt
import pytest
from azure.core.exceptions import HttpResponseError

from infra.cloud import WrongCloudError, check_region, principal_type, signed_in
from infra.settings.configuration import ConfigurationError, parse
from tests.unit.infra.deployed import deploy
from tests.unit.infra.stack_files import filled_in

OTHER_SUBSCRIPTION = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
OTHER_TENANT = "aaaaaaaa-4f89-41d3-9a0c-0305e82c3301"


@pytest.mark.parametrize("preview", [True, False])
def test_the_wrong_cloud_is_left_alone(preview: bool) -> None:
    with pytest.raises(WrongCloudError) as error:
        deploy("prod", preview=preview, signed_in=(OTHER_TENANT, OTHER_SUBSCRIPTION))
    message = str(error.value)
    tenant = "azure-native:tenantId is 3f2504e0-4f89-41d3-9a0c-000000000001"
    assert f"{tenant}, but you are signed in to {OTHER_TENANT}" in message
    assert f"but you are signed in to {OTHER_SUBSCRIPTION}" in message
    assert "az login --tenant 3f2504e0-4f89-41d3-9a0c-000000000001" in message


@pytest.mark.parametrize("code", ["SubscriptionNotFound", "InvalidAuthenticationTokenTenant"])
def test_a_subscription_that_azure_does_not_show_is_refused(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Microsoft's page "Troubleshoot common Azure deployment errors": SubscriptionNotFound, "can't be accessed"."""

    def refuse(resource_group_name: str) -> None:
        raise Exception(f'{resource_group_name}: Status=404 Code="{code}"')

    monkeypatch.setattr("pulumi_azure_native.resources.get_resource_group", refuse)
    with pytest.raises(WrongCloudError) as error:
        deploy("dev", preview=True)
    message = str(error.value)
    subscription = "3f2504e0-4f89-41d3-9a0c-000000000002"
    assert f"azure-native:subscriptionId is {subscription}, which Azure does not show to you" in message
    assert f"az account set --subscription {subscription}" in message


def test_a_resource_group_that_does_not_exist_yet_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(resource_group_name: str) -> None:
        raise Exception('Status=404 Code="ResourceGroupNotFound"')

    monkeypatch.setattr("pulumi_azure_native.resources.get_resource_group", missing)
    assert deploy("dev", preview=True).one("resources:ResourceGroup")


def test_a_stack_file_may_say_how_to_sign_in() -> None:
    hint = {"azureml-platform:signIn": "connect to the VPN"}
    with pytest.raises(WrongCloudError, match="fix: connect to the VPN, or correct azure-native:tenantId"):
        deploy("dev", hint, signed_in=(OTHER_TENANT, OTHER_SUBSCRIPTION))


def test_nobody_signed_in_is_told_how_to_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise Exception("invoke failed: please run az login")  # the SDK itself raises nothing narrower

    monkeypatch.setattr("pulumi_azure_native.authorization.get_client_config", refuse)
    with pytest.raises(WrongCloudError) as error:
        signed_in(parse(filled_in("dev"), "dev"), "rg-dev")
    message = str(error.value)
    start = "Cannot read which subscription you are signed in to, for stack dev: invoke failed: please run az login"
    assert message.startswith(start)
    assert "fix: az login --tenant 3f2504e0-4f89-41d3-9a0c-000000000001" in message


def test_a_region_that_azure_does_not_have_is_refused_in_the_preview(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.azure_names.machine_learning_regions", lambda _subscription: {"westeurope", "newland"})
    with pytest.raises(ConfigurationError) as error:
        deploy("dev", {"azure-native:location": "atlantis"}, preview=True)
    message = str(error.value)
    assert "no region atlantis, which azure-native:location in Pulumi.dev.yaml names" in message
    assert "fix: pulumi config set azure-native:location REGION -s dev" in message
    assert deploy("dev", {"azure-native:location": "newland"}, preview=True).one("resources:ResourceGroup")


def test_a_known_region_needs_no_request_and_an_unknown_one_without_an_answer_is_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_subscription: str) -> set[str]:
        raise HttpResponseError("no route")

    told: list[str] = []
    monkeypatch.setattr("infra.azure_names.machine_learning_regions", fail)
    monkeypatch.setattr("pulumi.warn", told.append)
    for location in ("westeurope", "atlantis"):
        check_region(parse({**filled_in("dev"), "azure-native:location": location}, "dev"))
    assert told == ["Cannot check with Azure whether there is a region atlantis: no route"]


@pytest.mark.parametrize(
    ("claims", "kind"),
    [
        ({"idtyp": "user", "oid": "a", "sub": "b"}, "User"),
        ({"idtyp": "app", "oid": "a", "sub": "a"}, "ServicePrincipal"),
        ({"oid": "a", "sub": "b"}, "User"),
        ({"oid": "a", "sub": "a"}, "ServicePrincipal"),
    ],
)
def test_a_token_tells_users_from_service_principals(claims: dict[str, str], kind: str) -> None:
    """Source: Microsoft's "Access token claims reference"."""
    token = jwt.encode(claims, "a key that nobody checks the signature by", algorithm="HS256")
    assert principal_type(token).value == kind
