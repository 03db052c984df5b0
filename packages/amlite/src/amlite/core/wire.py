"""Formats that Azure's services share: JSON objects, resource envelopes, `systemData`, names of regions."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def envelope(path: str, kind: str, properties: Json, system: Json) -> Json:
    """Return a resource as ARM shows it."""
    return {"id": path, "name": path.rpartition("/")[2], "type": kind, "properties": properties, "systemData": system}


def created(by: str, at: str) -> Json:
    """Return the `systemData` of a new resource."""
    return {"createdBy": by, "createdByType": "Application", "createdAt": at}


def modified(by: str, at: str, old: Json | None = None) -> Json:
    """Return the `systemData` of a write. The creator and the time of creation are those of the `old` envelope."""
    first = (old or {}).get("systemData") or created(by, at)
    return {**first, "lastModifiedBy": by, "lastModifiedByType": "Application", "lastModifiedAt": at}


def region(location: str) -> str:
    """Return a region's name as ARM compares it: `westeurope` for `West Europe`."""
    return location.replace(" ", "").lower()
