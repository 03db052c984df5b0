"""The check that you are signed in to the stack's tenant and subscription, before a stack is opened."""

from __future__ import annotations

import logging
from http.client import FORBIDDEN
from pathlib import Path

from infra import NAMESPACE
from pulumi_azureml.operations import send
from release import stack_file
from release.errors import ReleaseError, first_line

_API_VERSION = "2022-12-01"


def check(stack: str, file: Path) -> str:
    """Ask Azure for the subscription that the stack file names.

    Returns:
        The sign-in instructions of the stack file (`signIn`), or "" if it has none.

    Raises:
        ReleaseError: The stack file cannot be read, nobody is signed in, or Azure does not show this subscription of
            this tenant to the signed-in identity. The message contains the commands that sign in.
    """
    configuration = stack_file.read(file).get("config") or {}
    tenant, subscription = (configuration.get(f"azure-native:{key}") for key in ("tenantId", "subscriptionId"))
    hint = str(configuration.get(f"{NAMESPACE}:signIn") or "")
    if not isinstance(tenant, str) or not isinstance(subscription, str):
        return hint  # the program's own check reports what is missing
    if {*tenant, *subscription} == {"0", "-"}:
        raise ReleaseError(
            f"{file.name} has zeros in place of your tenant and subscription",
            fix="replace them with the ids that `az account show` prints; docs/environments.md describes the steps",
        )
    fix = hint or f"az login --tenant {tenant} && az account set --subscription {subscription}"
    reason = _refusal(tenant, subscription)
    if reason:
        raise ReleaseError(f"stack '{stack}' is out of reach: {reason}", fix=fix)
    return hint


def _refusal(tenant: str, subscription: str) -> str:
    """Return why the subscription cannot be used, or "" if it can."""
    from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

    # It logs everything that it tried as a warning, before the message with the fix.
    logging.getLogger("azure.identity").setLevel(logging.ERROR)
    try:
        found = send("GET", f"/subscriptions/{subscription}", _API_VERSION)
    except HttpResponseError as error:
        if isinstance(error, ClientAuthenticationError) and error.status_code is None:
            return "nobody is signed in to Azure"
        # An identity with roles on a resource group only, such as the CI identity, may not read the
        # subscription.
        if error.status_code == FORBIDDEN:
            return ""
        return f"{error.error.code}: {error.error.message}" if error.error else first_line(error)
    home = str(found.get("tenantId", tenant))
    return "" if home.lower() == tenant.lower() else f"subscription {subscription} belongs to tenant {home}"
