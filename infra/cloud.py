"""The checks with Azure before anything else: you are signed in to the stack's subscription, and its region exists."""

import jwt
import pulumi
from pulumi_azure_native import authorization, resources

from infra import azure_names
from infra.components.access import Deployer, PrincipalType
from infra.settings.configuration import Configuration, ConfigurationError
from infra.settings.stack import REGIONS

# Azure's codes for a subscription that the identity may not see, and for one of another tenant.
_OUT_OF_REACH = ("SubscriptionNotFound", "InvalidAuthenticationTokenTenant")


class WrongCloudError(pulumi.RunError):
    """The signed-in tenant or subscription is not the stack's. The message contains the fix. Nothing was changed."""


def signed_in(configuration: Configuration, resource_group: str) -> Deployer:
    """Return the signed-in identity, after a check of its tenant and subscription.

    The provider's own client configuration has the tenant of the token, but the subscription of the stack file. So the
    check also asks Azure for the resource group, which need not exist yet.

    Raises:
        WrongCloudError: The identity's tenant differs from the stack file, Azure does not show the subscription to the
            identity, or nobody is signed in.
    """
    cloud, stack = configuration.cloud, configuration.stack
    sign_in = configuration.settings.sign_in or (
        f"az login --tenant {cloud.tenant_id} && az account set --subscription {cloud.subscription_id}"
    )
    fix = f"{sign_in}, or correct azure-native:tenantId and azure-native:subscriptionId in Pulumi.{stack}.yaml"
    try:
        client = authorization.get_client_config()
        token = authorization.get_client_token().token
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
    heading = f"You are signed in to another tenant or subscription than that of stack {stack}. Nothing was changed."
    if mismatches:
        raise WrongCloudError("\n".join([heading, *mismatches, f"      fix: {fix}"]))
    try:
        resources.get_resource_group(resource_group_name=resource_group)
    except Exception as error:  # see above; any other answer is about the resource group, which need not exist yet
        if any(code in str(error) for code in _OUT_OF_REACH):
            hidden = f"  azure-native:subscriptionId is {cloud.subscription_id}, which Azure does not show to you"
            raise WrongCloudError("\n".join([heading, hidden, f"      fix: {fix}"])) from error
    return Deployer(object_id=client.object_id, kind=principal_type(token))


def check_region(configuration: Configuration) -> None:
    """Check with Azure that a region exists that the settings do not know. It sends no request for the others.

    Raises:
        ConfigurationError: Azure Machine Learning has no such region.
    """
    wanted, stack = configuration.cloud.location, configuration.stack
    if wanted in REGIONS:
        return
    from pulumi_azureml.operations.sdk import AzureError  # which takes 0.2 s to import

    try:
        regions = azure_names.machine_learning_regions(configuration.cloud.subscription_id)
    except AzureError as error:
        reason = str(getattr(error, "message", error)).partition("\n")[0]
        pulumi.warn(f"Cannot check with Azure whether there is a region {wanted}: {reason}")
        return
    if wanted not in regions:
        raise ConfigurationError(
            f"Azure Machine Learning has no region {wanted}, which azure-native:location in Pulumi.{stack}.yaml names. "
            f"Nothing was changed.\n"
            f"      fix: pulumi config set azure-native:location REGION -s {stack}, with one of\n"
            f"           {', '.join(sorted(regions))}"
        )


def principal_type(token: str) -> PrincipalType:
    """Return whether a token is a user's or a service principal's.

    Source: Microsoft's "Access token claims reference". `idtyp` says so where Entra ID sets it. Otherwise, the subject
    of an application's token is its object id, and the subject of a user's token is another one for each application.
    """
    # The token is only read. Azure checks the signature of its own tokens.
    claims = jwt.decode(token, options={"verify_signature": False})
    kind = claims.get("idtyp") or ("app" if claims.get("sub") == claims.get("oid") else "user")
    return PrincipalType.SERVICE_PRINCIPAL if kind == "app" else PrincipalType.USER
