"""The directory of principals: what an object id belongs to, as role assignments ask."""

from __future__ import annotations

from enum import StrEnum, unique

from amlite.core.store import Store

_PRINCIPALS = "directory/principals"
_GROUPS = "directory/groups"


@unique
class PrincipalKind(StrEnum):
    """What a principal is. A managed identity is a service principal."""

    GROUP = "Group"
    USER = "User"
    SERVICE_PRINCIPAL = "ServicePrincipal"


def register(store: Store, object_id: str, kind: PrincipalKind) -> None:
    """Put a principal into the directory."""
    store.put(f"{_PRINCIPALS}/{object_id}", _PRINCIPALS, {"kind": kind.value})


def register_group(store: Store, object_id: str, members: list[str]) -> None:
    """Put a group with its members (object ids) into the directory."""
    register(store, object_id, PrincipalKind.GROUP)
    store.put(f"{_GROUPS}/{object_id}", _GROUPS, {"id": object_id, "members": members})


def groups_of(store: Store, object_id: str) -> list[str]:
    """Return the object ids of the groups that a principal is a member of."""
    return [each.body["id"] for each in store.of_type(_GROUPS) if object_id in each.body["members"]]


def remove(store: Store, object_id: str) -> None:
    """Take a principal out of the directory. Its role assignments stay, as in Azure."""
    store.delete(f"{_PRINCIPALS}/{object_id}")


def kind_of(store: Store, object_id: str) -> PrincipalKind | None:
    """Return what an object id belongs to; None if the directory does not have it."""
    document = store.get(f"{_PRINCIPALS}/{object_id}")
    return PrincipalKind(document.body["kind"]) if document else None
