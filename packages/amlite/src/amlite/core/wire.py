"""What Azure's services write alike: JSON objects, the envelope of a resource, `systemData`, names of regions."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def envelope(path: str, kind: str, properties: Json, system: Json) -> Json:
    """Return a resource as ARM shows it."""
    return {"id": path, "name": path.rpartition("/")[2], "type": kind, "properties": properties, "systemData": system}


def created(by: str, at: str) -> Json:
    """Return the `systemData` of something that was created and not changed since."""
    return {"createdBy": by, "createdByType": "Application", "createdAt": at}


def modified(by: str, at: str, old: Json | None = None) -> Json:
    """Return the `systemData` of a write; of what was there (its envelope), who created it and when is kept."""
    first = (old or {}).get("systemData") or created(by, at)
    return {**first, "lastModifiedBy": by, "lastModifiedByType": "Application", "lastModifiedAt": at}


def region(location: str) -> str:
    """Return a region's name as ARM compares it: `westeurope` for `West Europe`."""
    return location.replace(" ", "").lower()
