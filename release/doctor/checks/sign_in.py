"""Checks that both Pulumi providers are signed in to the stack's tenant and subscription."""

from __future__ import annotations

from collections.abc import Iterator

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from release.doctor.azure import reason
from release.doctor.findings import Finding, ok, problem, warning
from release.doctor.subject import Subject

_API_VERSION = "2022-12-01"
_FORBIDDEN = 403


def check(subject: Subject) -> Iterator[Finding]:
    """Compare the token and the subscription with the stack file."""
    cloud = subject.configuration.cloud
    fix = subject.settings.sign_in or (
        f"az login --tenant {cloud.tenant_id} && az account set --subscription {cloud.subscription_id}"
    )
    try:
        account = subject.account
    except ClientAuthenticationError as error:
        yield problem("nobody is signed in to Azure", reason(error), fix)
        return
    if account.tenant_id != cloud.tenant_id:
        why = f"Pulumi.{subject.stack}.yaml has azure-native:tenantId {cloud.tenant_id}"
        yield problem(f"signed in to tenant {account.tenant_id}", why, fix)
        return
    found = _subscription(subject, fix)
    yield found
    if found.level == "problem":
        return
    native = subject.environment.get("ARM_CLIENT_ID")
    if native and account.client_id and native.lower() != account.client_id.lower():
        yield warning(
            f"azure-native signs in as {native}, and pulumi-azureml as {account.client_id}",
            "Both deploy the stack. What one creates, the other may not be allowed to use.",
            "set AZURE_CLIENT_ID and ARM_CLIENT_ID to the same identity, or unset both and use `az login`",
        )
    if subject.environment.get("ARM_OIDC_TOKEN"):
        yield warning(
            "ARM_OIDC_TOKEN holds an ID token that is not renewed",
            "It expires in minutes, and a longer update then fails with AADSTS700024.",
            "unset ARM_OIDC_TOKEN, and put `release ci-login --` in front of the command",
        )


def _subscription(subject: Subject, fix: str) -> Finding:
    account = subject.account
    try:
        found = subject.arm.get(subject.subscription, _API_VERSION)
    except HttpResponseError as error:
        if error.status_code == _FORBIDDEN:
            # An identity with roles in the resource group only, such as the CI identity, may not read it.
            return ok(f"signed in as {account.name}, which may not read the subscription")
        return problem(f"signed in as {account.name}, without the stack's subscription", reason(error), fix)
    if found.get("state") != "Enabled":
        return problem(
            f"the subscription is {str(found.get('state')).lower()}",
            "Azure creates resources in enabled subscriptions only.",
            "enable it in the portal (Subscriptions, Overview)",
        )
    return ok(f"signed in as {account.name} to subscription {found.get('displayName')}")
