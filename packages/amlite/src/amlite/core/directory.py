"""The directory of principals: what an object id belongs to, as role assignments ask."""

from __future__ import annotations

from enum import StrEnum, unique

from amlite.core.store import Store

_PRINCIPALS = "directory/principals"


@unique
class PrincipalKind(StrEnum):
    """What a principal is. A managed identity is a service principal."""

    USER = "User"
    SERVICE_PRINCIPAL = "ServicePrincipal"


def register(store: Store, object_id: str, kind: PrincipalKind) -> None:
    """Put a principal into the directory."""
    store.put(f"{_PRINCIPALS}/{object_id}", _PRINCIPALS, {"kind": kind.value})


def remove(store: Store, object_id: str) -> None:
    """Take a principal out of the directory. Its role assignments stay, as in Azure."""
    store.delete(f"{_PRINCIPALS}/{object_id}")


def kind_of(store: Store, object_id: str) -> PrincipalKind | None:
    """Return what an object id belongs to; None if the directory does not have it."""
    document = store.get(f"{_PRINCIPALS}/{object_id}")
    return PrincipalKind(document.body["kind"]) if document else None
