"""What a command says before it opens a stack: is this the stack's subscription?"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from azure.core.exceptions import ClientAuthenticationError

from amlite import SUBSCRIPTION_ID, TENANT_ID
from amlite.testing import LocalAzure
from pulumi_azureml.operations import arm
from release import sign_in
from release.errors import ReleaseError

OTHER = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
ZEROS = "00000000-0000-0000-0000-000000000000"
AZ = f"az login --tenant {TENANT_ID} && az account set --subscription"


def check(folder: Path, tenant: str, subscription: str, **settings: str) -> str:
    file = folder / "Pulumi.dev.yaml"
    own = {f"azureml-platform:{key}": value for key, value in settings.items()}
    ids = {"azure-native:tenantId": tenant, "azure-native:subscriptionId": subscription}
    file.write_text(yaml.safe_dump({"config": {**ids, **own}}))
    return sign_in.check("dev", file)


def refused(folder: Path, tenant: str, subscription: str, **settings: str) -> str:
    with pytest.raises(ReleaseError) as raised:
        check(folder, tenant, subscription, **settings)
    return raised.value.message


def test_the_right_subscription_passes(amlite: LocalAzure, tmp_path: Path) -> None:
    assert check(tmp_path, TENANT_ID, SUBSCRIPTION_ID) == ""
    assert check(tmp_path, TENANT_ID, SUBSCRIPTION_ID, signIn="use the VPN") == "use the VPN"


def test_a_subscription_that_azure_does_not_show_is_refused(amlite: LocalAzure, tmp_path: Path) -> None:
    message = refused(tmp_path, TENANT_ID, OTHER)
    assert message.startswith("stack 'dev' is out of reach: SubscriptionNotFound: ")
    assert message.endswith(f"fix: {AZ} {OTHER}")


def test_a_subscription_of_another_tenant_is_refused(amlite: LocalAzure, tmp_path: Path) -> None:
    message = refused(tmp_path, OTHER, SUBSCRIPTION_ID, signIn="use the VPN")
    reason = f"subscription {SUBSCRIPTION_ID} belongs to tenant {TENANT_ID}"
    assert message == f"stack 'dev' is out of reach: {reason}\n  fix: use the VPN"


def test_nobody_signed_in_reads_the_command(
    amlite: LocalAzure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Nobody:
        def get_token_info(self, *_scopes: str, **_options: object) -> None:
            raise ClientAuthenticationError("a page of what was tried")

    monkeypatch.setattr(arm, "credential", Nobody)
    message = refused(tmp_path, TENANT_ID, SUBSCRIPTION_ID)
    reason = "nobody is signed in to Azure"
    assert message == f"stack 'dev' is out of reach: {reason}\n  fix: {AZ} {SUBSCRIPTION_ID}"


def test_an_identity_of_a_resource_group_passes(
    amlite: LocalAzure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of continuous integration: it is Contributor to the resource group, and may not read the subscription."""
    monkeypatch.setattr(arm, "credential", amlite.application)
    assert check(tmp_path, TENANT_ID, SUBSCRIPTION_ID) == ""


def test_zeros_are_refused_before_a_stack_is_made(tmp_path: Path) -> None:
    assert refused(tmp_path, ZEROS, ZEROS).startswith("Pulumi.dev.yaml has zeros in place of your tenant and")


@pytest.mark.parametrize(("text", "problem"), [("", "is empty"), ("config:\n  a: b: c", "malformed YAML")])
def test_a_broken_stack_file_is_refused_before_anybody_is_asked(text: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text(text)
    with pytest.raises(ReleaseError, match=problem):
        sign_in.check("dev", tmp_path / "Pulumi.dev.yaml")


def test_other_mistakes_are_left_to_the_program(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}")
    assert sign_in.check("dev", tmp_path / "Pulumi.dev.yaml") == ""
