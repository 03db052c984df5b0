"""Changes of blobs, for services that react to them, as Event Grid's events of a storage account.

A blob is created by Put Blob, Put Block List, Copy Blob, or a flush of the data lake that closes the file. Directories
and appended blocks raise no event. Source: the page "Azure Blob Storage as an Event Grid source".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from amlite.core.platform import Platform

CREATED = "Microsoft.Storage.BlobCreated"
DELETED = "Microsoft.Storage.BlobDeleted"


@dataclass(frozen=True)
class Change:
    """One event: its `kind`, and the blob."""

    kind: str
    account: str
    container: str
    path: str


@dataclass
class Changes:
    """The functions that are called after each change."""

    listeners: list[Callable[[Platform, Change], None]] = field(default_factory=list)


def announce(platform: Platform, kind: str, account: str, container: str, path: str) -> None:
    """Tell the listeners about a blob that was created or deleted."""
    for listener in platform.part(Changes).listeners:
        listener(platform, Change(kind, account, container, path))
