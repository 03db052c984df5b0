"""Looks up names that must be unique in Azure: those that are taken, and those that soft-deleted resources hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from pulumi_azureml.operations import arm

_KEY_VAULT = "Microsoft.KeyVault"
_MACHINE_LEARNING = "Microsoft.MachineLearningServices"
_RESOURCES = "Microsoft.Resources"
_VERSIONS = {
    "Microsoft.ContainerRegistry": "2023-07-01",
    _KEY_VAULT: "2023-07-01",
    _MACHINE_LEARNING: "2024-10-01",
    _RESOURCES: "2021-04-01",
    "Microsoft.Storage": "2024-01-01",
}
# The `provisioningState` of a soft-deleted workspace in the subscription's list.
_SOFT_DELETED = "softdeleted"


@dataclass(frozen=True, kw_only=True)
class _Deleted:
    """A soft-deleted resource.

    Attributes:
        id: The resource id that it had.
        location: Its region.
        tags: Its tags.
    """

    id: str
    location: str
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name."""
        return self.id.rpartition("/")[2]


@dataclass(frozen=True, kw_only=True)
class DeletedVault(_Deleted):
    """A soft-deleted key vault. Its name is taken in all of Azure until it is purged.

    Attributes:
        purge_date: When Azure purges it.
        purge_protection: Whether nobody can purge it before.
    """

    purge_date: str
    purge_protection: bool

    def purge(self) -> None:
        """Delete it for good. Azure refuses this for a vault with purge protection."""
        subscription = self.id.split("/")[2]
        path = f"{_provider(subscription, _KEY_VAULT)}/locations/{self.location}/deletedVaults/{self.name}/purge"
        arm.finish("POST", path, _VERSIONS[_KEY_VAULT])


class DeletedWorkspace(_Deleted):
    """A soft-deleted workspace. Its name is taken in its resource group for 14 days, or until it is purged."""


def purge_workspace(id: str) -> None:
    """Delete a workspace for good, or purge a soft-deleted one. Its resource group must exist."""
    arm.finish("DELETE", id, _VERSIONS[_MACHINE_LEARNING], {"forceToPurge": "true"})


def machine_learning_regions(subscription: str) -> set[str]:
    """Return the regions in which there can be workspaces, as short names."""
    provider = arm.send("GET", _provider(subscription, _MACHINE_LEARNING), _VERSIONS[_RESOURCES])
    kinds = provider.get("resourceTypes") or []
    places = (place for kind in kinds if kind["resourceType"] == "workspaces" for place in kind["locations"])
    return {place.replace(" ", "").lower() for place in places}


@contextmanager
def resource_group(id: str, location: str) -> Iterator[None]:
    """Ensure that the resource group of a resource exists. If it was missing, delete it again at the end."""
    group = "/".join(id.split("/")[:5])
    is_there = _exists(group, _VERSIONS[_RESOURCES])
    if not is_there:
        arm.send("PUT", group, _VERSIONS[_RESOURCES], {"location": location})
    try:
        yield
    finally:
        if not is_there:
            arm.finish("DELETE", group, _VERSIONS[_RESOURCES])


def tags_in(group: str) -> dict[str, Mapping[str, str]]:
    """Return the tags of the resources in a resource group, by the resources' ids in lower case."""
    found = arm.pages(f"{group}/resources", _VERSIONS[_RESOURCES])
    return {each["id"].lower(): each.get("tags") or {} for each in found}


def deleted_vaults(subscription: str) -> list[DeletedVault]:
    """Return the subscription's soft-deleted key vaults."""
    path = f"{_provider(subscription, _KEY_VAULT)}/deletedVaults"
    return [
        DeletedVault(
            id=each["vaultId"],
            location=each["location"],
            purge_date=str(each.get("scheduledPurgeDate", ""))[:10],
            purge_protection=bool(each.get("purgeProtectionEnabled")),
            tags=each.get("tags") or {},
        )
        for each in (row["properties"] for row in arm.pages(path, _VERSIONS[_KEY_VAULT]))
    ]


def deleted_workspaces(subscription: str) -> list[DeletedWorkspace]:
    """Return the subscription's soft-deleted workspaces, as far as Azure lists them (azure-powershell#28286)."""
    path = f"{_provider(subscription, _MACHINE_LEARNING)}/workspaces"
    return [
        DeletedWorkspace(id=each["id"], location=each["location"], tags=each.get("tags") or {})
        for each in arm.pages(path, _VERSIONS[_MACHINE_LEARNING])
        if str(each["properties"].get("provisioningState")).lower() == _SOFT_DELETED
    ]


def unavailable(id: str) -> str | None:
    """Return Azure's message if another resource has taken a name that must be unique in Azure.

    Args:
        id: The resource id of a storage account, key vault or container registry that is to be created.

    Returns:
        Azure's message. None if the name is free, or if the resource of that id exists.
    """
    _, _, subscription, _, _, _, provider, kind, name = id.split("/")
    path = f"{_provider(subscription, provider)}/checkNameAvailability"
    answer = arm.send("POST", path, _VERSIONS[provider], {"name": name, "type": f"{provider}/{kind}"})
    if answer.get("nameAvailable", True) or _exists(id, _VERSIONS[provider]):
        return None
    return str(answer.get("message") or answer.get("reason"))


def registry_id(name: str, location: str) -> str | None:
    """Return the id of the tenant's Azure Machine Learning registry with a name, or None if there is none."""
    from pulumi_azureml.operations.sdk import ResourceNotFoundError

    try:
        found = arm.get(f"https://{location}.api.azureml.ms/registrymanagement/v1.0/registries/{name}/discovery")
    except ResourceNotFoundError:
        return None
    group = f"/subscriptions/{found['subscriptionId']}/resourceGroups/{found['resourceGroup']}"
    return f"{group}/providers/{_MACHINE_LEARNING}/registries/{found['registryName']}"


def _exists(id: str, api_version: str) -> bool:
    from pulumi_azureml.operations.sdk import ResourceNotFoundError

    try:
        arm.send("GET", id, api_version)
    except ResourceNotFoundError:
        return False
    return True


def _provider(subscription: str, namespace: str) -> str:
    return f"/subscriptions/{subscription}/providers/{namespace}"
