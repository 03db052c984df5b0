"""Whether a stack can read a model version in a registry."""

from __future__ import annotations

from typing import Any

from infra import NAMESPACE
from infra.outputs import ModelOutput
from release.errors import ReleaseError, first_line
from release.workspace import registry_client


def out_of_reach(target: str, model: ModelOutput, where: str, used: str | None, registry: str) -> ReleaseError:
    """Return the error for a stack that does not use the registry that a version is in.

    Args:
        target: Name of the stack.
        model: The version.
        where: Where it is, in words.
        used: Registry that the stack uses, or None.
        registry: Registry that it should use.
    """
    uses = f"registry '{used}'" if used else "no registry"
    return ReleaseError(
        f"stack '{target}' cannot read {model.name} version {model.version}: it is in {where}, and stack '{target}' "
        f"uses {uses}",
        fix=f"pulumi config set --path '{NAMESPACE}:sharing.registry' {registry} -s {target}, and set "
        "sharing.resourceGroup to the registry's resource group so that the stack gets its role",
    )


def find_model(target: str, model: ModelOutput, registry: str) -> Any:
    """Return a version in a registry, or None if the registry does not have it.

    Raises:
        ReleaseError: The registry does not exist, or you may not read the version.
    """
    from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

    fix = (
        f"correct the name in Pulumi.{target}.yaml, bring up the stack that creates the registry, or sign in to the "
        f"tenant of stack '{target}'"
    )
    try:
        return registry_client(registry, fix).models.get(model.name, model.version)
    except ResourceNotFoundError:
        return None
    except HttpResponseError as error:
        raise ReleaseError(
            f"registry '{registry}' does not let you read model {model.name} version {model.version}: "
            f"{first_line(error)}",
            fix=f"sign in to the tenant of stack '{target}', with the role AzureML Registry User on the registry",
        ) from error
