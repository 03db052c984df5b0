"""The check that you are signed in to the stack's tenant and subscription."""

import jwt
import pulumi
from pulumi_azure_native import authorization

from infra.components.access import Deployer, PrincipalType
from infra.settings.configuration import Configuration


class WrongCloudError(pulumi.RunError):
    """The signed-in tenant or subscription is not the stack's. The message has the fix. Nothing was changed."""


def signed_in(configuration: Configuration) -> Deployer:
    """Return the signed-in identity, after a check of its tenant and subscription.

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
    if mismatches:
        heading = (
            f"You are signed in to another tenant or subscription than that of stack {stack}. Nothing was changed."
        )
        raise WrongCloudError("\n".join([heading, *mismatches, f"      fix: {fix}"]))
    return Deployer(object_id=client.object_id, kind=principal_type(token))


def principal_type(token: str) -> PrincipalType:
    """Return whether a token is a user's or a service principal's.

    Source: Microsoft's "Access token claims reference". `idtyp` says so where Entra ID sets it. Otherwise, the subject
    of an application's token is its object id, and the subject of a user's token is another one for each application.
    """
    # Only read. Azure checks the signature of its own tokens.
    claims = jwt.decode(token, options={"verify_signature": False})
    kind = claims.get("idtyp") or ("app" if claims.get("sub") == claims.get("oid") else "user")
    return PrincipalType.SERVICE_PRINCIPAL if kind == "app" else PrincipalType.USER
