"""The place where the images of environments are built, and its requirements.

Azure builds them with tasks of the workspace's container registry, or on the cluster in `imageBuildCompute`, which is
required if the registry is not public. Source: "Configure image builds" in how-to-managed-network.
"""

from __future__ import annotations

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.machinelearning import networks, references
from amlite.services.managedidentity import identities

_PUSH = "Microsoft.ContainerRegistry/registries/push/write"


def require(platform: Platform, workspace_id: str) -> None:
    """Raise AzureError `ImageBuildFailure` if a workspace cannot build images."""
    workspace = references.workspace(platform, workspace_id)
    properties = workspace.body["properties"]
    registry = platform.store.get(properties.get("containerRegistry") or "")
    if registry is None:
        return
    name = registry.body["name"]
    if not properties.get("imageBuildCompute"):
        if not networks.is_public(registry.body):
            raise _failure(
                f"container registry '{name}' is not open to the public network, so it builds no images. Set "
                "imageBuildCompute of the workspace to a compute cluster."
            )
        return
    compute = references.compute(platform, workspace.id, properties["imageBuildCompute"]).body
    for identity in (compute.get("identity") or {}).get("userAssignedIdentities") or {}:
        who = identities.principal_of(platform, identity)
        if not platform.access.allowed(who, registry.id, _PUSH):
            raise _failure(
                f"the identity of compute '{compute['name']}' (client id '{who.client_id}') may not push to container "
                f"registry '{name}'. Give it the role AcrPush."
            )
    if networks.of(workspace.body).get("isolationMode") == networks.APPROVED and not _reaches_hosts(
        platform, workspace.id
    ):
        raise _failure(
            f"compute '{compute['name']}' cannot reach any package repository: the managed network has no outbound "
            "rule of type FQDN. Add rules for the hosts that the build needs."
        )
    networks.require_way(platform, workspace.id, registry.id, "registry")


def _reaches_hosts(platform: Platform, workspace_id: str) -> bool:
    rules: list[Json] = [rule.body["properties"] for rule in networks.rules_of(platform, workspace_id)]
    return any(rule["type"] == "FQDN" and rule["status"] == networks.ACTIVE for rule in rules)


def _failure(reason: str) -> AzureError:
    return AzureError(400, "ImageBuildFailure", f"Image build failed: {reason}")
