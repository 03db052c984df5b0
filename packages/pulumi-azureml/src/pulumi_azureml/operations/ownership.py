"""Tags that identify a stack's assets: their owner and their content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi_azureml.operations.errors import ADOPT, OwnershipError

# Assets of versions before 0.3.0 have these tags, so they cannot change.
PREFIX = "azureml-platform."
OWNER = f"{PREFIX}owner"
CONTENT = f"{PREFIX}content"
# A refresh shows this in place of the content hash if somebody else changed the asset.
CHANGED = "changed outside of this project"


def tagged(tags: Mapping[str, str] | None, owner: str, content_hash: str) -> dict[str, str]:
    """Return the user's tags with the owner and the content added."""
    return {**(tags or {}), OWNER: owner, CONTENT: content_hash}


def user_tags(tags: Mapping[str, str] | None) -> dict[str, str]:
    """Return the user's tags without those of this package."""
    return {key: str(value) for key, value in (tags or {}).items() if not key.startswith(PREFIX)}


def is_ours(tags: Mapping[str, str] | None, owner: str) -> bool:
    """Whether something belongs to `owner`."""
    return (tags or {}).get(OWNER) == owner


def is_foreign(tags: Mapping[str, str] | None, owner: str) -> bool:
    """Whether something belongs to another owner. An asset in the state without a tag still belongs to this stack."""
    return (tags or {}).get(OWNER) not in (None, owner)


def observed(existing: Any, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return Azure's metadata in the form of `metadata`. Both are equal if nothing changed."""
    result = dict(metadata)
    for key in ("description", "display_name"):
        there = getattr(existing, key, None) or None
        # Azure sets a display name if there is none.
        if key in metadata or (key == "description" and there):
            result[key] = there
    result["tags"] = user_tags(existing.tags)
    return {key: value for key, value in result.items() if value}


def check(what: str, tags: Mapping[str, str] | None, owner: str, *, adopt: bool) -> None:
    """Raise OwnershipError if an existing asset does not belong to `owner` and must not be adopted."""
    found = (tags or {}).get(OWNER)
    if found == owner or adopt:
        return
    whose = f"belongs to stack '{found}'" if found else "was not created by this program"
    raise OwnershipError(f"{what} exists already and {whose}. Rename yours, or delete the existing one", ADOPT)
