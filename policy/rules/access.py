"""Rules about identities, accounts and roles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from policy.rule import Scene, rule
from policy.subject import Resource

_PRIVILEGED = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "User Access Administrator",
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168": "Role Based Access Control Administrator",
    "8b54135c-b56d-4d72-a534-26097cfdc8d8": "Key Vault Data Access Administrator",
    "66f75aeb-eabe-4b70-9f1e-c350c4c9ad04": "Virtual Machine Data Access Administrator",
}
_ASSIGNMENT = "azure-native:authorization:RoleAssignment"
_ASSIGNING = ("microsoft.authorization/roleassignments/write", "microsoft.authorization/roledefinitions/write")
_GITHUB = "token.actions.githubusercontent.com"
# The end of the issuer of GitHub Enterprise Server.
_GITHUB_SERVER = "/_services/token"


@rule(
    "registry-admin-user", "mandatory", "azure-native:containerregistry:Registry",
    reason="All users of the admin account share one password with all permissions, and no log shows who used it.",
    fix="set adminUserEnabled to false, and give identities the role AcrPull or AcrPush",
)  # fmt: skip
def registry_admin_user(resource: Resource, scene: Scene) -> Iterator[str]:
    """The container registry has no admin account."""
    del scene
    if resource.flag("adminUserEnabled") is True:
        yield "adminUserEnabled is true"


@rule(
    "registry-anonymous-pull", "mandatory", "azure-native:containerregistry:Registry",
    reason="Anyone can pull the images, which contain code and models.",
    fix="set anonymousPullEnabled to false",
)  # fmt: skip
def registry_anonymous_pull(resource: Resource, scene: Scene) -> Iterator[str]:
    """Pulling an image requires a token."""
    del scene
    if resource.flag("anonymousPullEnabled") is True:
        yield "anonymousPullEnabled is true"


@rule(
    "storage-shared-key", "mandatory", "azure-native:storage:StorageAccount",
    reason="An account key gives full access to all data, and cannot be restricted to one user.",
    fix="set storage.sharedKeyAccess to false",
)  # fmt: skip
def storage_shared_key(resource: Resource, scene: Scene) -> Iterator[str]:
    """The account does not accept account keys. Azure accepts them by default."""
    del scene
    path = "allowSharedKeyAccess"
    if not resource.is_unknown(path) and resource.flag(path) is not False:
        yield "allowSharedKeyAccess is not false"


@rule(
    "storage-public-blobs", "mandatory", "azure-native:storage:StorageAccount",
    reason="Anyone can read the blobs of a public container without a token.",
    fix="set allowBlobPublicAccess to false",
)  # fmt: skip
def storage_public_blobs(resource: Resource, scene: Scene) -> Iterator[str]:
    """The account does not allow public containers."""
    del scene
    if resource.flag("allowBlobPublicAccess") is True:
        yield "allowBlobPublicAccess is true"


@rule(
    "vault-roles", "mandatory", "azure-native:keyvault:Vault",
    reason="Access policies are separate permissions that do not appear in role assignments.",
    fix="set enableRbacAuthorization to true",
)  # fmt: skip
def vault_roles(resource: Resource, scene: Scene) -> Iterator[str]:
    """The vault uses roles, not access policies."""
    del scene
    path = "properties.enableRbacAuthorization"
    if not resource.is_unknown(path) and resource.flag(path) is not True:
        yield "enableRbacAuthorization is not true"


@rule(
    "compute-local-auth", "mandatory", "azure-native:machinelearningservices:Compute",
    reason="Local accounts have passwords that Entra ID does not control.",
    fix="set disableLocalAuth to true",
)  # fmt: skip
def compute_local_auth(resource: Resource, scene: Scene) -> Iterator[str]:
    """Compute accepts only users of Entra ID."""
    del scene
    path = "properties.disableLocalAuth"
    if not resource.is_unknown(path) and resource.flag(path) is not True:
        yield "disableLocalAuth is not true"


@rule(
    "workspace-datastores", "mandatory", "azure-native:machinelearningservices:Workspace",
    reason="A workspace that reads storage with a key stores the account key.",
    fix="set systemDatastoresAuthMode to Identity",
)  # fmt: skip
def workspace_datastores(resource: Resource, scene: Scene) -> Iterator[str]:
    """The default datastores of the workspace use identities."""
    del scene
    path = "systemDatastoresAuthMode"
    if not resource.is_unknown(path) and str(resource.get(path)).lower() != "identity":
        yield f"systemDatastoresAuthMode is {resource.get(path) or 'not set'}"


@rule(
    "datastore-credentials", "mandatory", "azureml:Datastore",
    reason="All readers of the datastore get the same key.",
    fix="delete `credentials` from the YAML, and give the identities a role on the storage account",
)  # fmt: skip
def datastore_credentials(resource: Resource, scene: Scene) -> Iterator[str]:
    """Datastores use identities instead of credentials."""
    del scene
    if resource.get("definition.credentials"):
        yield "the datastore has credentials"


@rule(
    "privileged-role", "mandatory", _ASSIGNMENT, "azure-native:authorization:RoleDefinition",
    reason="A program with this role can grant itself and others any permission.",
    fix="assign a role with only the actions that the program needs",
)  # fmt: skip
def privileged_role(resource: Resource, scene: Scene) -> Iterator[str]:
    """Only groups of people have roles that can assign roles. Custom roles cannot."""
    del scene
    if resource.type != _ASSIGNMENT:
        yield from (f"the custom role allows {each}" for each in _allowed(resource.get("permissions")))
        return
    role = str(resource.get("roleDefinitionId") or "").rstrip("/").rpartition("/")[2].lower()
    holder = str(resource.get("principalType") or "principal of unknown type")
    if role in _PRIVILEGED and holder.lower() != "group" and not resource.is_unknown("principalType"):
        yield f"a {_HOLDERS.get(holder, holder)} gets the role {_PRIVILEGED[role]}"


_HOLDERS = {"ServicePrincipal": "service principal", "User": "user"}


def _allowed(permissions: object) -> Iterator[str]:
    """Yield the actions of a custom role that assign or change roles."""
    for each in permissions if isinstance(permissions, list) else ():
        if isinstance(each, Mapping):
            yes, no = each.get("actions") or (), each.get("notActions") or ()
            for action in _ASSIGNING:
                if _matches(action, yes) and not _matches(action, no):
                    yield action


def _matches(action: str, patterns: object) -> bool:
    return isinstance(patterns, list | tuple) and any(fnmatchcase(action, str(each).lower()) for each in patterns)


@rule(
    "ci-environment", "mandatory", "azure-native:managedidentity:FederatedIdentityCredential",
    reason="On GitHub, only deployment environments can require an approval. Branches and pull requests cannot.",
    fix="set `environment` for the repository in identities.github",
    elsewhere="off",
)  # fmt: skip
def ci_environment(resource: Resource, scene: Scene) -> Iterator[str]:
    """Workflows sign in to production only from a deployment environment."""
    del scene
    issuer = urlsplit(str(resource.get("issuer") or ""))
    subject = resource.get("subject") or resource.get("claimsMatchingExpression.value")
    is_github = issuer.hostname == _GITHUB or issuer.path.rstrip("/").endswith(_GITHUB_SERVER)
    if is_github and subject is not None and ":environment:" not in str(subject):
        yield f"the subject {subject} is not a deployment environment"
