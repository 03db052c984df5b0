"""The roles that a workspace's user-assigned identity needs on the parts of the workspace.

Azure assigns the roles of a system-assigned identity. The user assigns those of a user-assigned identity. Sources:
"Set up authentication between Azure Machine Learning and other services" (the table of role assignments) and
"Workspace managed virtual network isolation" (the approver of private endpoints). Microsoft does not document the
error for a missing role. In amlite, it is the error of Resource Manager for the identity.
"""

from __future__ import annotations

from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.managedidentity import identities

APPROVAL = "privateEndpointConnections/write"
"""What approves a private endpoint to a resource: an action on its type. Whoever asks for the endpoint needs it too."""
# Property of the workspace -> the actions of its identity on that resource.
_ACTIONS = {
    "storageAccount": "Microsoft.Storage/storageAccounts/write",
    "keyVault": "Microsoft.KeyVault/vaults/write",
    "containerRegistry": "Microsoft.ContainerRegistry/registries/write",
    "applicationInsights": "Microsoft.Insights/components/write",
}
_KEEP_SECRETS = "Microsoft.KeyVault/vaults/secrets/setSecret/action"


def require(platform: Platform, properties: Json) -> None:
    """Raise AzureError 403 unless the primary user-assigned identity of a new workspace has its roles."""
    primary = properties.get("primaryUserAssignedIdentity")
    if not primary:
        return
    who = identities.principal_of(platform, primary)
    for part, action in _ACTIONS.items():
        if scope := properties.get(part):
            platform.access.require(who, scope, action)
    vault = platform.store.get(properties["keyVault"])
    if vault is not None and vault.body["properties"].get("enableRbacAuthorization"):
        platform.access.require(who, vault.id, _KEEP_SECRETS, data=True)


def require_approver(platform: Platform, workspace: Json, rule: Json) -> None:
    """Raise AzureError 403 unless the primary identity may approve the private endpoint of an outbound rule."""
    primary = workspace["properties"].get("primaryUserAssignedIdentity")
    if not primary or rule["properties"]["type"] != "PrivateEndpoint":
        return
    target = platform.store.get(rule["properties"]["destination"]["serviceResourceId"])
    if target is not None:
        who = identities.principal_of(platform, primary)
        platform.access.require(who, target.id, f"{target.body['type']}/{APPROVAL}")
