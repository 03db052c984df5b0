"""Checks that the signed-in identity may create the resources, assign roles, and upload data."""

from __future__ import annotations

from collections.abc import Iterator

from infra.settings.stack import Settings
from release.doctor.findings import Finding, ok, problem, warning
from release.doctor.subject import Subject

_GROUP = "Microsoft.Resources/subscriptions/resourceGroups/write"
_CREATED = (
    "Microsoft.ContainerRegistry/registries/write",
    "Microsoft.Insights/components/write",
    "Microsoft.KeyVault/vaults/write",
    "Microsoft.MachineLearningServices/workspaces/write",
    "Microsoft.ManagedIdentity/userAssignedIdentities/write",
    "Microsoft.OperationalInsights/workspaces/write",
    "Microsoft.Storage/storageAccounts/write",
)
# The second action creates the role of continuous integration. Role Based Access Control Administrator lacks it.
_ROLES = ("Microsoft.Authorization/roleAssignments/write", "Microsoft.Authorization/roleDefinitions/write")
_UPLOAD = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write"


def check(subject: Subject) -> Iterator[Finding]:
    """Compare the permissions of the account with the operations of an update."""
    yield from _control_plane(subject)
    yield from _data_plane(subject)


def _control_plane(subject: Subject) -> Iterator[Finding]:
    permissions, name = subject.permissions, subject.account.name
    needed = _CREATED if subject.deployed else (_GROUP, *_CREATED)
    missing = [action for action in needed if not permissions.allows(action)]
    # The identity of continuous integration may not change all resources. It can deploy assets nevertheless.
    finding = warning if subject.deployed else problem
    if missing:
        yield finding(
            f"{name} may not create every resource of the stack",
            f"Its roles on {permissions.scope} lack {', '.join(missing)}.",
            _assign(subject, "Contributor"),
        )
    roles = all(permissions.allows(action) for action in _ROLES)
    if not roles:
        yield finding(
            f"{name} may not assign roles",
            "The stack assigns roles to its identities. An update that changes no role still works."
            if subject.deployed
            else "The first update assigns roles to the stack's identities.",
            _assign(subject, "User Access Administrator"),
        )
    if not missing and roles:
        yield ok(f"{name} may create the resources and assign roles")


def _data_plane(subject: Subject) -> Iterator[Finding]:
    """Check that uploads of code and data work: Owner and Contributor have no data actions."""
    settings, name = subject.settings, subject.account.name
    if settings.storage.shared_key_access:
        yield ok("uploads use the storage account's key")
    elif subject.permissions.allows(_UPLOAD, data=True):
        yield ok(f"{name} may upload to the storage account")
    elif settings.access.deployer:
        yield ok(f"the update lets {name} upload to the storage account (access.deployer)")
    elif _groups(settings):
        yield warning(
            f"{name} may upload to the storage account only as a member of a group in azureml-platform:access",
            "Owner and Contributor have no data actions. Without a data role, the upload of code fails with 403.",
            f"join one of the groups {', '.join(_groups(settings))}, or {_assign(subject, _UPLOADER)}",
        )
    else:
        yield problem(
            f"{name} may not upload to the storage account",
            "Owner and Contributor have no data actions, so the upload of code would fail with 403.",
            f"pulumi config set --path azureml-platform:access.deployer true -s {subject.stack}",
        )


_UPLOADER = "Storage Blob Data Contributor"


def _groups(settings: Settings) -> list[str]:
    return [*settings.access.owners, *settings.access.contributors]


def _assign(subject: Subject, role: str) -> str:
    return (
        f'az role assignment create --role "{role}" --assignee {subject.account.object_id} '
        f"--scope {subject.permissions.scope}"
    )
