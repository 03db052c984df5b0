"""Rules about identities, accounts and roles."""

from __future__ import annotations

from collections.abc import Iterator

from policy.rule import Scene, rule
from policy.subject import Resource

_PRIVILEGED = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "User Access Administrator",
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168": "Role Based Access Control Administrator",
}
_GITHUB = "https://token.actions.githubusercontent.com"


@rule(
    "registry-admin-user", "mandatory", "azure-native:containerregistry:Registry",
    reason="The admin account is one password for everybody, with every right, and no log says who used it.",
    fix="set adminUserEnabled to false, and give identities the role AcrPull or AcrPush",
)  # fmt: skip
def registry_admin_user(resource: Resource, scene: Scene) -> Iterator[str]:
    """The container registry has no admin account."""
    del scene
    if resource.get("adminUserEnabled") is True:
        yield "adminUserEnabled is true"


@rule(
    "registry-anonymous-pull", "mandatory", "azure-native:containerregistry:Registry",
    reason="Everybody can pull the images, with the code and the models in them.",
    fix="set anonymousPullEnabled to false",
)  # fmt: skip
def registry_anonymous_pull(resource: Resource, scene: Scene) -> Iterator[str]:
    """Images are pulled with a token."""
    del scene
    if resource.get("anonymousPullEnabled") is True:
        yield "anonymousPullEnabled is true"


@rule(
    "storage-shared-key", "mandatory", "azure-native:storage:StorageAccount",
    reason="An account key gives every right to all data, and cannot be limited to a person.",
    fix="set storage.sharedKeyAccess to false",
)  # fmt: skip
def storage_shared_key(resource: Resource, scene: Scene) -> Iterator[str]:
    """Account keys are off. Azure accepts them unless the account says otherwise."""
    del scene
    path = "allowSharedKeyAccess"
    if not resource.is_unknown(path) and resource.get(path) is not False:
        yield "allowSharedKeyAccess is not false"


@rule(
    "storage-public-blobs", "mandatory", "azure-native:storage:StorageAccount",
    reason="One public container makes its blobs readable for everybody, without a token.",
    fix="set allowBlobPublicAccess to false",
)  # fmt: skip
def storage_public_blobs(resource: Resource, scene: Scene) -> Iterator[str]:
    """No container of the account can be public."""
    del scene
    if resource.get("allowBlobPublicAccess") is True:
        yield "allowBlobPublicAccess is true"


@rule(
    "vault-roles", "mandatory", "azure-native:keyvault:Vault",
    reason="Access policies are a second set of permissions, which role assignments do not show.",
    fix="set enableRbacAuthorization to true",
)  # fmt: skip
def vault_roles(resource: Resource, scene: Scene) -> Iterator[str]:
    """Roles decide who reads secrets."""
    del scene
    path = "properties.enableRbacAuthorization"
    if not resource.is_unknown(path) and resource.get(path) is not True:
        yield "enableRbacAuthorization is not true"


@rule(
    "compute-local-auth", "mandatory", "azure-native:machinelearningservices:Compute",
    reason="Local accounts have passwords that no directory controls.",
    fix="set disableLocalAuth to true",
)  # fmt: skip
def compute_local_auth(resource: Resource, scene: Scene) -> Iterator[str]:
    """Compute accepts Entra ID only."""
    del scene
    path = "properties.disableLocalAuth"
    if not resource.is_unknown(path) and resource.get(path) is not True:
        yield "disableLocalAuth is not true"


@rule(
    "workspace-datastores", "mandatory", "azure-native:machinelearningservices:Workspace",
    reason="A workspace that reads storage with keys keeps the account key as a secret.",
    fix="set systemDatastoresAuthMode to Identity",
)  # fmt: skip
def workspace_datastores(resource: Resource, scene: Scene) -> Iterator[str]:
    """The workspace's own datastores use identities."""
    del scene
    path = "systemDatastoresAuthMode"
    if not resource.is_unknown(path) and str(resource.get(path)).lower() != "identity":
        yield f"systemDatastoresAuthMode is {resource.get(path) or 'not set'}"


@rule(
    "datastore-credentials", "mandatory", "azureml:Datastore",
    reason="Everybody who may read the datastore gets the same key.",
    fix="delete `credentials` from the YAML, and give the identities a role on the storage account",
)  # fmt: skip
def datastore_credentials(resource: Resource, scene: Scene) -> Iterator[str]:
    """Datastores use identities."""
    del scene
    if resource.get("definition.credentials"):
        yield "the datastore has credentials"


@rule(
    "privileged-role", "mandatory", "azure-native:authorization:RoleAssignment",
    reason="A program with such a role can give itself and others every right.",
    fix="assign a role that only has the actions that the program needs",
)  # fmt: skip
def privileged_role(resource: Resource, scene: Scene) -> Iterator[str]:
    """Only people, by their groups, hold roles that assign roles."""
    del scene
    role = str(resource.get("roleDefinitionId") or "").rpartition("/")[2].lower()
    if role in _PRIVILEGED and resource.get("principalType") == "ServicePrincipal":
        yield f"a service principal gets the role {_PRIVILEGED[role]}"


@rule(
    "ci-environment", "mandatory", "azure-native:managedidentity:FederatedIdentityCredential",
    reason="Only GitHub's deployment environments have approvals. A branch or a pull request has none.",
    fix="set `environment` for the repository in identities.github",
    production=True,
)  # fmt: skip
def ci_environment(resource: Resource, scene: Scene) -> Iterator[str]:
    """A workflow signs in to production from a deployment environment."""
    del scene
    subject = resource.get("subject")
    if resource.get("issuer") == _GITHUB and subject is not None and ":environment:" not in str(subject):
        yield f"the subject {subject} is not a deployment environment"
