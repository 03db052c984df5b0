"""Finds what Azure keeps of a destroyed stack (the workspace and the key vault), and deletes it for good."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra import NAMESPACE, azure_names
from infra.azure_names import DeletedVault, DeletedWorkspace
from release.errors import ReleaseError
from release.stack import PulumiStack

WORKSPACE_TYPE = "azure-native:machinelearningservices:Workspace"
VAULT_TYPE = "azure-native:keyvault:Vault"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Kept:
    """What Azure keeps of a stack after its deletion, or would keep.

    Attributes:
        workspaces: Workspaces in the stack's state.
        vaults: Key vaults in the stack's state.
        deleted_workspaces: Workspaces of the stack that are soft-deleted.
        deleted_vaults: Key vaults of the stack that are soft-deleted.
    """

    workspaces: list[Mapping[str, Any]] = field(default_factory=list)
    vaults: list[Mapping[str, Any]] = field(default_factory=list)
    deleted_workspaces: list[DeletedWorkspace] = field(default_factory=list)
    deleted_vaults: list[DeletedVault] = field(default_factory=list)

    @classmethod
    def of(cls, stack: PulumiStack) -> Kept:
        """Read the stack's state, and find what Azure keeps of the stack. Tags identify soft-deleted resources.

        Raises:
            ReleaseError: The stack's configuration does not give its location and names.
        """
        resources = stack.resources()
        subscription, tags = stack.subscription(), stack.tags()
        return cls(
            [each for each in resources if each["type"] == WORKSPACE_TYPE],
            [each for each in resources if each["type"] == VAULT_TYPE],
            [each for each in azure_names.deleted_workspaces(subscription) if _has(each.tags, tags)],
            [each for each in azure_names.deleted_vaults(subscription) if _has(each.tags, tags)],
        )

    def plan(self) -> list[str]:
        """Return the actions of a purge, one line for each resource."""
        lines = [
            f"workspace {_name(each)}: deleted for good, with its assets, jobs and run history"
            for each in self.workspaces
        ]
        lines += [f"workspace {each.name}: purged" for each in self.deleted_workspaces]
        for vault in self.vaults:
            if vault.get("inputs", {}).get("properties", {}).get("enablePurgeProtection"):
                lines.append(
                    f"key vault {_name(vault)}: kept by its purge protection; the next `release up` recovers it"
                )
            else:
                lines.append(f"key vault {_name(vault)}: deleted for good, with its secrets")
        lines += [
            _protected(each) if each.purge_protection else f"key vault {each.name}: purged"
            for each in self.deleted_vaults
        ]
        return lines


def planned(stack: PulumiStack, say: Say) -> Kept:
    """Print what a purge deletes for good, and return it.

    Raises:
        ReleaseError: Pulumi would not delete every resource, because some are protected.
    """
    protected = [each["urn"].rpartition("::")[2] for each in stack.resources() if each.get("protect")]
    if protected:
        raise ReleaseError(
            f"stack '{stack.name}' protects {len(protected)} resources ({', '.join(protected)}). Nothing was deleted",
            fix=f"set {NAMESPACE}:protect to false in Pulumi.{stack.name}.yaml, and run release up -s {stack.name}",
        )
    kept = Kept.of(stack)
    for line in kept.plan():
        say(line)
    return kept


def purge_workspaces(stack: PulumiStack, kept: Kept, on_event: Callable[..., None], say: Say) -> None:
    """Delete the stack's workspaces for good, after everything that depends on them.

    Azure allows this only while the workspace and its resource group exist.
    """
    for workspace in kept.workspaces:
        dependents = stack.dependents(workspace["urn"])
        if dependents:
            stack.destroy(on_event, dependents)
        say(f"deleting workspace {_name(workspace)} for good")
        azure_names.purge_workspace(workspace["id"])


def purge_leftovers(stack: PulumiStack, say: Say) -> None:
    """Purge the soft-deleted resources, except vaults with purge protection."""
    kept = Kept.of(stack)
    for workspace in kept.deleted_workspaces:
        say(f"purging workspace {workspace.name}")
        with azure_names.resource_group(workspace.id, workspace.location):
            azure_names.purge_workspace(workspace.id)
    for vault in kept.deleted_vaults:
        if vault.purge_protection:
            say(_protected(vault))
        else:
            say(f"purging key vault {vault.name}")
            vault.purge()


def tell_what_azure_keeps(stack: PulumiStack, say: Say, *, purged: bool) -> None:
    """Print the names of a destroyed stack that stay taken. Print nothing if they cannot be looked up."""
    from azure.core.exceptions import AzureError

    try:
        kept = Kept.of(stack)
    except AzureError:
        return
    lines = [
        *(f"  workspace {each.name}: for 14 days from its deletion" for each in kept.deleted_workspaces),
        *(f"  key vault {each.name}: until {each.purge_date}" for each in kept.deleted_vaults),
    ]
    if lines:
        say("\n".join(["Azure keeps these names:", *lines]))
    if lines and not purged:
        say(f"To delete for good what Azure keeps: release down --purge -s {stack.name}")


def _protected(vault: DeletedVault) -> str:
    return f"key vault {vault.name}: kept by purge protection until {vault.purge_date}; `release up` recovers it"


def _has(tags: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(tags.get(key) == value for key, value in wanted.items())


def _name(resource: Mapping[str, Any]) -> str:
    return str(resource["id"]).rpartition("/")[2]
