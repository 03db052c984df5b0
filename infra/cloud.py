"""The check that you are signed in to the stack's tenant and subscription."""

import pulumi
from pulumi_azure_native import authorization

from infra.settings.configuration import Configuration


class WrongCloudError(pulumi.RunError):
    """The signed-in tenant or subscription is not the stack's. The message has the fix. Nothing was changed."""


def signed_in_principal(configuration: Configuration) -> str:
    """Return the object id of the signed-in identity, after a check of its tenant and subscription.

    Raises:
        WrongCloudError: The identity's tenant or subscription differs from the stack file, or nobody is signed in.
    """
    cloud, stack = configuration.cloud, configuration.stack
    fix = (
        f"az login --tenant {cloud.tenant_id} && az account set --subscription {cloud.subscription_id}, "
        f"or correct azure-native:tenantId and azure-native:subscriptionId in Pulumi.{stack}.yaml"
    )
    try:
        client = authorization.get_client_config()
    except Exception as error:  # the SDK raises nothing narrower for a failed invoke
        raise WrongCloudError(
            f"Cannot read which subscription you are signed in to, for stack {stack}: {error}\n      fix: {fix}"
        ) from error
    mismatches = [
        f"  {key} is {wanted}, but you are signed in to {found or 'none'}"
        for key, wanted, found in (
            ("azure-native:tenantId", cloud.tenant_id, client.tenant_id),
            ("azure-native:subscriptionId", cloud.subscription_id, client.subscription_id),
        )
        if wanted != (found or "").lower()
    ]
    if mismatches:
        heading = (
            f"You are signed in to another tenant or subscription than that of stack {stack}. Nothing was changed."
        )
        raise WrongCloudError("\n".join([heading, *mismatches, f"      fix: {fix}"]))
    return client.object_id
