"""Never the wrong cloud: who is signed in, and is it where the stack belongs?"""

import pulumi
from pulumi_azure_native import authorization

from infra.settings.configuration import Configuration


class WrongCloudError(pulumi.RunError):
    """The signed-in tenant or subscription is not the stack's. Nothing was changed."""


def signed_in_principal(configuration: Configuration) -> str:
    """Object id of whoever runs the program, once it is certain that they are where the stack belongs.

    Raises:
        WrongCloudError: the credentials in use belong to another tenant or subscription than the stack file names,
            or to none at all.
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
            f"Cannot tell which cloud stack {stack} would reach: {error}\n      fix: {fix}"
        ) from error
    mismatches = [
        f"  {key} is {wanted}, but signed in to {found or 'none'}"
        for key, wanted, found in (
            ("azure-native:tenantId", cloud.tenant_id, client.tenant_id),
            ("azure-native:subscriptionId", cloud.subscription_id, client.subscription_id),
        )
        if wanted != (found or "").lower()
    ]
    if mismatches:
        lines = [f"Stack {stack} belongs to another cloud; nothing was changed.", *mismatches, f"      fix: {fix}"]
        raise WrongCloudError("\n".join(lines))
    return client.object_id
