"""The provider in a CI job: ID tokens that live five minutes, and work that takes hours by Azure's clock.

With a token that is fetched once, Azure says AADSTS700024 after minutes (Azure/login#372, azure-cli#28708).
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator

import pytest

from amlite import SUBSCRIPTION_ID
from amlite.testing import LocalAzure, Workspace
from azureml_fixtures.asset_project import Project
from pulumi_azureml.operations import connection
from pulumi_azureml.operations.federation import federated_identity
from pulumi_azureml.provider import AzureMLProvider

SUBJECTS = {"github": "repo:contoso/flights:environment:dev", "azureDevOps": "sc://contoso/flights/azure-dev"}
ISSUERS = {
    "github": "https://token.actions.githubusercontent.com",
    "azureDevOps": "https://vstoken.dev.azure.com/10ca1000-0000-4000-a000-616d6c697465",
}
HOURS = 3


@pytest.fixture
def job(azureml_workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Return a function that makes this process a job of a CI platform, which the group's identity trusts."""
    azure = azureml_workspace.azure
    group = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{azureml_workspace.resource_group}"
    identity = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/ci-{uuid.uuid4().hex[:8]}"
    made = azure.put(identity, {"location": "westeurope"}, "2023-01-31")["properties"]
    azure.assign("Contributor", group, made["principalId"])

    def begin(kind: str) -> None:
        properties = {"issuer": ISSUERS[kind], "subject": SUBJECTS[kind], "audiences": ["api://AzureADTokenExchange"]}
        azure.put(f"{identity}/federatedIdentityCredentials/{kind}", {"properties": properties}, "2023-01-31")
        for name in ("ARM_CLIENT_SECRET", "AZURE_CLIENT_SECRET", "AZURE_TOKEN_CREDENTIALS"):
            monkeypatch.delenv(name, raising=False)
        job = azure.ci_job(kind, SUBJECTS[kind], seconds=300)
        for name, value in {**job, "ARM_USE_OIDC": "true", "ARM_CLIENT_ID": made["clientId"]}.items():
            monkeypatch.setenv(name, value)
        connection.sign_in_again()

    with azure.brief_tokens():
        yield begin
    connection.sign_in_again()
    azure.remove(identity, "2023-01-31")


@pytest.mark.parametrize("kind", ["github", "azureDevOps"])
def test_work_goes_on_for_hours_with_id_tokens_that_live_five_minutes(
    kind: str, job: Callable[[str], None], project: Project, amlite: LocalAzure
) -> None:
    job(kind)
    provider, props = AzureMLProvider("environment"), project.props("environment")
    made = provider.create(props)
    amlite.advance(HOURS * 3600)
    assert provider.read(made.id, props).inputs == props
    amlite.advance(HOURS * 3600)
    provider.delete(made.id, props)


def test_a_fixed_id_token_is_refused_after_minutes(
    job: Callable[[str], None], project: Project, amlite: LocalAzure, monkeypatch: pytest.MonkeyPatch
) -> None:
    job("github")
    trusted = federated_identity(os.environ)
    assert trusted is not None
    monkeypatch.setenv("ARM_OIDC_TOKEN", trusted.fetch())
    monkeypatch.delenv("ACTIONS_ID_TOKEN_REQUEST_URL")
    connection.sign_in_again()
    provider, props = AzureMLProvider("environment"), project.props("environment")
    made = provider.create(props)
    amlite.advance(HOURS * 3600)
    with pytest.raises(Exception, match="AADSTS700024"):
        provider.delete(made.id, props)
