"""The check of a stack's names with Azure, before anything is created under them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pulumi
from pulumi_azure_native.keyvault import CreateMode

from infra import NAMESPACE, azure_names
from infra.azure_names import DeletedVault
from infra.naming import Names
from infra.settings.configuration import Configuration

# The tags that identify the stack of a soft-deleted resource. The other tags may have changed since.
_OWNER_TAGS = ("project", "namespace", "workspace", "stack")
_HEADING = "Azure does not let this stack have the names of its new resources. Nothing was created under them."


@dataclass(frozen=True, kw_only=True)
class WantedNames:
    """The names that a stack wants.

    Attributes:
        stack: Name of the stack, for messages.
        subscription_id: Subscription of all resources.
        location: Region of all resources.
        names: Names of the stack's resources.
        tags: Tags of all resources.
        registry: Azure Machine Learning registry that the stack creates, if any.
    """

    stack: str
    subscription_id: str
    location: str
    names: Names
    tags: Mapping[str, str]
    registry: str | None = None

    @classmethod
    def of(cls, configuration: Configuration, names: Names, tags: Mapping[str, str]) -> WantedNames:
        """Return the names that a stack's configuration wants."""
        sharing = configuration.settings.sharing
        return cls(
            stack=configuration.stack,
            subscription_id=configuration.cloud.subscription_id,
            location=configuration.cloud.location,
            names=names,
            tags=tags,
            registry=sharing.registry if sharing.create else None,
        )

    def id(self, kind: str, name: str) -> str:
        """Return the resource id that a resource of the stack has."""
        group = f"/subscriptions/{self.subscription_id}/resourceGroups/{self.names.resource_group}"
        return f"{group}/providers/{kind}/{name}"


@dataclass(frozen=True)
class Answers:
    """Azure's answers about the names: conflicts, the vault to recover, and the names that could not be looked up."""

    problems: list[str] = field(default_factory=list)
    recoverable: DeletedVault | None = None
    unchecked: list[str] = field(default_factory=list)


Finding = str | DeletedVault | None
"""A problem with its fix, the stack's own soft-deleted vault, or None if a name is free."""


@dataclass(frozen=True)
class Unchecked:
    """A name that could not be looked up, and the reason."""

    reason: str


class NameCheck:
    """Asks Azure about all names of a stack, once per run, and only if the run creates something.

    `hook` belongs to every resource whose name may be taken. The engine calls it before it creates one, in previews
    too. A run that creates none of them sends no request.
    """

    def __init__(self, configuration: Configuration, names: Names, tags: Mapping[str, str]) -> None:
        """Take the stack's configuration, and the names and tags that it wants."""
        self._wanted = WantedNames.of(configuration, names, tags)
        self._asked: asyncio.Task[Answers] | None = None
        self._recovers = False
        self._told = False
        options = pulumi.ResourceHookOptions(on_dry_run=True)
        self.hook = pulumi.ResourceHook("names", self._check, options)

    def vault_create_mode(self, group: pulumi.Output[str]) -> pulumi.Output[CreateMode | None]:
        """Return `recover` if the stack's vault is soft-deleted and the run creates the stack's resource group."""

        async def mode(_name: str) -> CreateMode | None:
            answers = await self._asked if self._asked is not None else None
            self._recovers = answers is not None and answers.recoverable is not None
            return CreateMode.RECOVER if self._recovers else None

        return group.apply(mode)

    async def _check(self, hooked: pulumi.ResourceHookArgs) -> None:
        if self._asked is None:
            self._asked = asyncio.ensure_future(self._ask())
        answers = await self._asked
        problems = list(answers.problems)
        vault = answers.recoverable
        if vault is not None and hooked.type == "azure-native:keyvault:Vault":
            if self._recovers:
                pulumi.info(
                    f"The key vault {vault.name} is soft-deleted. The update recovers it with its secrets and its old "
                    "settings, and the update after it brings its settings up to date."
                )
            else:
                problems.append(_lone_vault(vault, hooked.urn, self._wanted.stack))
        if problems and self._told:
            raise RuntimeError("names are taken; see the other error")
        if problems:
            self._told = True
            raise RuntimeError("\n".join([_HEADING, *problems]))

    async def _ask(self) -> Answers:
        import pulumi_azureml.operations.sdk  # noqa: F401 - before a thread imports it beside this one

        answers = await asyncio.to_thread(ask, self._wanted)
        for reason in answers.unchecked:
            pulumi.warn(reason)
        return answers


def ask(wanted: WantedNames) -> Answers:
    """Look all names up in Azure."""
    checks = (_storage_account, _container_registry, _key_vault, _workspace, _registry)
    with ThreadPoolExecutor(len(checks)) as pool:
        found = list(pool.map(lambda check: _tried(check, wanted), checks))
    return Answers(
        [each for each in found if isinstance(each, str)],
        next((each for each in found if isinstance(each, DeletedVault)), None),
        [each.reason for each in found if isinstance(each, Unchecked)],
    )


def _tried(check: Callable[[WantedNames], Finding], wanted: WantedNames) -> Finding | Unchecked:
    from pulumi_azureml.operations.sdk import AzureError

    try:
        return check(wanted)
    except AzureError as error:
        what = check.__name__.replace("_", " ").strip()
        reason = str(getattr(error, "message", error)).partition("\n")[0]
        return Unchecked(f"Cannot check with Azure whether the name of the {what} is free: {reason}")


def _storage_account(wanted: WantedNames) -> Finding:
    id = wanted.id("Microsoft.Storage/storageAccounts", wanted.names.storage_account)
    return _unique("storage account", id, wanted.stack)


def _container_registry(wanted: WantedNames) -> Finding:
    id = wanted.id("Microsoft.ContainerRegistry/registries", wanted.names.container_registry)
    return _unique("container registry", id, wanted.stack)


def _key_vault(wanted: WantedNames) -> Finding:
    id = wanted.id("Microsoft.KeyVault/vaults", wanted.names.key_vault)
    for vault in azure_names.deleted_vaults(wanted.subscription_id):
        if vault.name.lower() != wanted.names.key_vault:
            continue
        ours = all(vault.tags.get(tag) == wanted.tags.get(tag) for tag in _OWNER_TAGS)
        if ours and vault.id.lower() == id.lower() and vault.location == wanted.location:
            return vault
        return _foreign_vault(vault, wanted.stack)
    return _unique("key vault", id, wanted.stack)


def _workspace(wanted: WantedNames) -> Finding:
    id = wanted.id("Microsoft.MachineLearningServices/workspaces", wanted.names.workspace)
    if not any(each.id.lower() == id.lower() for each in azure_names.deleted_workspaces(wanted.subscription_id)):
        return None
    return (
        f"  workspace {wanted.names.workspace} is soft-deleted, and holds its name for 14 days. Azure does not recover "
        "a workspace that has a user-assigned identity only\n"
        f"      fix: release down --purge -s {wanted.stack}, or {_another_postfix(wanted.stack)}"
    )


def _registry(wanted: WantedNames) -> Finding:
    if wanted.registry is None:
        return None
    found = azure_names.registry_id(wanted.registry, wanted.location)
    ours = wanted.id("Microsoft.MachineLearningServices/registries", wanted.registry)
    if found is None or found.lower() == ours.lower():
        return None
    return (
        f"  registry {wanted.registry} exists in this tenant: {found}\n"
        f"      fix: pulumi config set --path {NAMESPACE}:sharing.registry NEW -s {wanted.stack}, or use the existing "
        "one with sharing.create: false"
    )


def _unique(what: str, id: str, stack: str) -> Finding:
    reason = azure_names.unavailable(id)
    if reason is None:
        return None
    return f"  {what} {id.rpartition('/')[2]}: {reason}\n      fix: {_another_postfix(stack)}"


def _another_postfix(stack: str) -> str:
    return f"pulumi config set --path {NAMESPACE}:naming.postfix NEW -s {stack}"


def _foreign_vault(vault: DeletedVault, stack: str) -> str:
    another = _another_postfix(stack)
    held = f"  key vault {vault.name} is the name of a soft-deleted vault that this stack does not own: {vault.id}"
    if vault.purge_protection:
        return f"{held}. Purge protection holds the name until {vault.purge_date}\n      fix: {another}"
    return f"{held}\n      fix: az keyvault purge --name {vault.name} --location {vault.location}, or {another}"


def _lone_vault(vault: DeletedVault, urn: str, stack: str) -> str:
    """Return the problem of a vault that was deleted while the rest of the stack remains."""
    types, _, name = urn.rpartition("::")
    parent = f"{name}={types.rpartition('$')[0]}::{name}"
    return (
        f"  key vault {vault.name} was deleted outside of Pulumi, and can be recovered until {vault.purge_date}\n"
        f"      fix: az keyvault recover --name {vault.name} --location {vault.location}, and then\n"
        f"           pulumi import azure-native:keyvault:Vault {name} {vault.id} --parent {parent} --protect=false "
        f"-s {stack}"
    )
