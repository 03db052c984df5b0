"""Who may do what: principals, built-in roles and the check every authenticated request passes.

Role ids, actions and data actions are those of Azure's built-in roles.
"""

from __future__ import annotations

import fnmatch
import uuid
from dataclasses import dataclass

from amlite import SUBSCRIPTION_ID
from amlite.core.errors import AzureError
from amlite.core.store import Store

ASSIGNMENT_TYPE = "Microsoft.Authorization/roleAssignments"
_DEFINITIONS = f"/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.Authorization/roleDefinitions"


@dataclass(frozen=True)
class Principal:
    """Who a token speaks for: the object id that roles are assigned to, and the application's (client) id."""

    object_id: str
    client_id: str


@dataclass(frozen=True)
class Role:
    """A built-in role definition."""

    id: str
    name: str
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()

    def permits(self, action: str, *, data: bool) -> bool:
        """Whether the role grants an action (control plane) or data action."""
        if data:
            return _any(self.data_actions, action)
        return _any(self.actions, action) and not _any(self.not_actions, action)


_BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers"
ROLES = {
    role.id: role
    for role in (
        Role("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "Owner", ("*",)),
        Role(
            "b24988ac-6180-42a0-ab88-20f7382dd24c",
            "Contributor",
            ("*",),
            (
                "Microsoft.Authorization/*/Delete",
                "Microsoft.Authorization/*/Write",
                "Microsoft.Authorization/elevateAccess/Action",
            ),
        ),
        Role("acdd72a7-3385-48ef-bd42-f606fba81ae7", "Reader", ("*/read",)),
        Role(
            "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
            "User Access Administrator",
            ("*/read", "Microsoft.Authorization/*"),
        ),
        Role("7f951dda-4ed3-4680-a7ca-43fe172d538d", "AcrPull", ("Microsoft.ContainerRegistry/registries/pull/read",)),
        Role(
            "8311e382-0749-4cb8-b61a-304f252e45ec",
            "AcrPush",
            ("Microsoft.ContainerRegistry/registries/pull/read", "Microsoft.ContainerRegistry/registries/push/write"),
        ),
        Role(
            "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
            "Storage Blob Data Contributor",
            (f"{_BLOBS}/read", f"{_BLOBS}/write", f"{_BLOBS}/delete"),
            (),
            (f"{_BLOBS}/blobs/*",),
        ),
        Role(
            "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
            "Storage Blob Data Reader",
            (f"{_BLOBS}/read",),
            (),
            (f"{_BLOBS}/blobs/read",),
        ),
        Role(
            "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
            "Storage Blob Data Owner",
            (f"{_BLOBS}/*",),
            (),
            (f"{_BLOBS}/blobs/*",),
        ),
        Role(
            "17d1049b-9a84-46fb-8f53-869881c3d3ab",
            "Storage Account Contributor",
            ("Microsoft.Storage/storageAccounts/*",),
        ),
        Role("69566ab7-960f-475b-8e7c-b3118f30c6bd", "Storage File Data Privileged Contributor"),
        Role(
            "f6c7c914-8db3-469d-8ca1-694a8f32e121",
            "AzureML Data Scientist",
            (
                "Microsoft.MachineLearningServices/workspaces/*/read",
                "Microsoft.MachineLearningServices/workspaces/*/action",
                "Microsoft.MachineLearningServices/workspaces/*/delete",
                "Microsoft.MachineLearningServices/workspaces/*/write",
                "Microsoft.MachineLearningServices/workspaces/read",
            ),
            (
                "Microsoft.MachineLearningServices/workspaces/delete",
                "Microsoft.MachineLearningServices/workspaces/write",
                "Microsoft.MachineLearningServices/workspaces/computes/write",
                "Microsoft.MachineLearningServices/workspaces/computes/delete",
                "Microsoft.MachineLearningServices/workspaces/computes/*/write",
                "Microsoft.MachineLearningServices/workspaces/computes/*/delete",
                "Microsoft.MachineLearningServices/workspaces/computes/listKeys/action",
                "Microsoft.MachineLearningServices/workspaces/listKeys/action",
            ),
        ),
        Role(
            "e503ece1-11d0-4e8e-8e2c-7a6c3bf38815",
            "AzureML Compute Operator",
            ("Microsoft.MachineLearningServices/workspaces/computes/*",),
        ),
        Role(
            "1823dd4f-9b8c-4ab6-ab4e-7397a3684615",
            "AzureML Registry User",
            (
                "Microsoft.MachineLearningServices/registries/read",
                "Microsoft.MachineLearningServices/registries/assets/*",
            ),
        ),
        Role(
            "00482a5a-887f-4fb3-b363-3b7fe8e74483", "Key Vault Administrator", (), (), ("Microsoft.KeyVault/vaults/*",)
        ),
        Role(
            "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
            "Key Vault Secrets Officer",
            (),
            (),
            ("Microsoft.KeyVault/vaults/secrets/*",),
        ),
        Role("43d0d8ad-25c7-4714-9337-8ba259a9fe05", "Monitoring Reader", ("*/read",)),
        Role("3913510d-42f4-4e42-8a64-420c390055eb", "Monitoring Metrics Publisher"),
        Role(
            "b78c5d69-af96-48a3-bf8d-a8b4d589de94", "Azure AI Administrator", ("Microsoft.MachineLearningServices/*",)
        ),
    )
}


class Access:
    """The role assignments in the store, and what they permit."""

    def __init__(self, store: Store) -> None:
        """Read assignments from `store` at every check, so that a change holds at once."""
        self._store = store

    def assign(self, principal: Principal, scope: str, role: str) -> str:
        """Assign a built-in role (its id) at a scope, as Azure itself does, and return the assignment's id."""
        name = str(uuid.uuid4())
        id = f"{scope}/providers/{ASSIGNMENT_TYPE}/{name}"
        properties = {
            "principalId": principal.object_id,
            "principalType": "ServicePrincipal",
            "roleDefinitionId": f"{_DEFINITIONS}/{role}",
            "scope": scope,
        }
        body = {"id": id, "name": name, "type": ASSIGNMENT_TYPE, "properties": properties}
        self._store.put(id, ASSIGNMENT_TYPE, body)
        return id

    def allowed(self, principal: Principal, scope: str, action: str, *, data: bool = False) -> bool:
        """Whether a role assigned to the principal at `scope` or above grants the action."""
        wanted = scope.lower().rstrip("/") + "/"
        for document in self._store.of_type(ASSIGNMENT_TYPE):
            assignment = document.body["properties"]
            if assignment["principalId"].lower() != principal.object_id.lower():
                continue
            if not wanted.startswith(assignment["scope"].lower().rstrip("/") + "/"):
                continue
            role = ROLES.get(assignment["roleDefinitionId"].rpartition("/")[2].lower())
            if role is not None and role.permits(action, data=data):
                return True
        return False

    def require(self, principal: Principal, scope: str, action: str, *, data: bool = False) -> None:
        """Raise Azure's 403 `AuthorizationFailed` unless `allowed`."""
        if not self.allowed(principal, scope, action, data=data):
            raise AzureError(
                403,
                "AuthorizationFailed",
                f"The client '{principal.client_id}' with object id '{principal.object_id}' does not have "
                f"authorization to perform action '{action}' over scope '{scope}' or the scope is invalid. If access "
                "was recently granted, please refresh your credentials.",
            )


def _any(patterns: tuple[str, ...], action: str) -> bool:
    return any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)
