"""The source of a copy: parsed once, in one form, which is what is checked and what Azurite is given.

Source: the REST reference of the blob service, "Copy Blob". The caller needs the right to read the source, or its
address carries a signature.
"""

from __future__ import annotations

import re
import urllib.parse
from dataclasses import dataclass

from amlite.core.access import Principal
from amlite.core.platform import Platform
from amlite.services.storage import blobs, delegation
from amlite.services.storage.access import StorageError, check_role, refuse_other_forms
from amlite.services.storage.blobs import BlobPath

HEADER = "x-ms-copy-source"
_SOURCE = re.compile(
    r"https://([a-z0-9]{3,24})\.(?:blob|dfs)\.core\.windows\.net(?::443)?"
    r"(/[^/?#\\\x00-\x20]+/[^?#\\\x00-\x20]+)(?:\?([^#\x00-\x20]*))?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Source:
    """The blob, and the query of its address."""

    blob: BlobPath
    query: str

    @property
    def address(self) -> str:
        """The canonical address."""
        return f"{self.blob.url}?{self.query}" if self.query else self.blob.url


def parse(text: str) -> Source:
    """Return a copy's source. StorageError 400 for any address that is not one of a blob, in its ordinary form."""
    found = _SOURCE.fullmatch(text)
    if found is None:
        raise StorageError(
            400,
            "InvalidHeaderValue",
            f"The value of {HEADER} must be https://<account>.blob.core.windows.net/<container>/<blob>.",
        )
    path = urllib.parse.unquote(found[2])
    refuse_other_forms(path)
    container, _, name = path.lstrip("/").partition("/")
    return Source(BlobPath(found[1].lower(), container, name), found[3] or "")


async def check(platform: Platform, source: Source, principal: Principal | None) -> None:
    """Raise StorageError unless the caller's roles, or the signature in the address, allow to read the source."""
    query = dict(urllib.parse.parse_qsl(source.query))
    if "sig" not in query:
        if principal is None:
            raise _denied(source)
        check_role(platform, principal, "GET", source.blob.account, f"/{source.blob.container}/{source.blob.path}")
        return
    if delegation.is_delegated(query):
        allowed = delegation.permits(platform, "GET", source.blob, query)
    else:
        async with await blobs.request(platform, "HEAD", source.blob, signature=source.query) as answer:
            allowed = answer.status < 400
    if not allowed:
        raise _denied(source)


def _denied(source: Source) -> StorageError:
    return StorageError(
        403, "CannotVerifyCopySource", f"The source {source.blob.url} may not be read with what was given."
    )
