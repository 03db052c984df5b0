"""Tags by which a stack knows its own: who made an asset, and from which content."""

from __future__ import annotations

from collections.abc import Mapping

from infra.azureml.errors import OwnershipError

OWNER = "azureml-platform.owner"
CONTENT = "azureml-platform.content"


def tagged(tags: Mapping[str, str] | None, owner: str, content_hash: str) -> dict[str, str]:
    """Return the user's tags with ours added."""
    return {**(tags or {}), OWNER: owner, CONTENT: content_hash}


def untagged(tags: Mapping[str, str] | None) -> dict[str, str]:
    """Return the user's tags alone."""
    return {key: str(value) for key, value in (tags or {}).items() if key not in (OWNER, CONTENT)}


def check(what: str, tags: Mapping[str, str] | None, owner: str, *, adopt: bool) -> None:
    """Raise OwnershipError when something that exists is not `owner`'s and is not to be adopted."""
    found = (tags or {}).get(OWNER)
    if found == owner or adopt:
        return
    whose = f"belongs to stack '{found}'" if found else "was not made by this project"
    raise OwnershipError(
        f"{what} exists already and {whose}. Rename yours, delete that one, or take it over: "
        f"pulumi config set --path 'azureml-platform:assets.adopt' true"
    )
