"""Conditions of a write, so that nobody overwrites what others changed: `If-Match` and `If-None-Match`.

All resources have an entity tag here. Azure ignores the conditions of some of them, whose clients send none.
"""

from __future__ import annotations

from collections.abc import Mapping

from amlite.core.errors import AzureError
from amlite.core.store import Document


def tag(stored: Document) -> dict[str, str]:
    """Return the header with the entity tag of a document."""
    return {"ETag": f'"{stored.etag}"'}


def require(headers: Mapping[str, str], stored: Document | None) -> None:
    """Raise ARM's 412 if `If-Match` is not the stored entity tag, or if `If-None-Match: *` finds a resource."""
    wanted = headers.get("If-Match")
    if wanted is not None and (stored is None or not {"*", stored.etag} & {_plain(each) for each in wanted.split(",")}):
        now = f'does not match etag "{stored.etag}" of the resource' if stored else "was given for no resource"
        raise AzureError(412, "PreconditionFailed", f"The etag {wanted} in the If-Match header {now}.")
    if headers.get("If-None-Match", "").strip() == "*" and stored is not None:
        raise AzureError(412, "PreconditionFailed", "The If-None-Match header is '*', and the resource exists already.")


def _plain(text: str) -> str:
    """Return an entity tag without its quotes: as Data Factory shows it in a body."""
    return text.strip().removeprefix("W/").strip('"')
