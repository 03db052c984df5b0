"""What Azure refuses with a 4xx, and Azurite answers with a 500, or worse: in headers, queries and XML bodies.

Azurite keeps a lease without a duration, an unknown level of public access, a policy without an id and a rule without
an origin, and then answers all requests with a 500. A range of a page blob that cannot be read ends it.
Source: the REST reference of Azure Blob Storage.
"""

from __future__ import annotations

import re
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from amlite.core.routing import Call
from amlite.services.storage.access import StorageError
from amlite.services.storage.blobs import PUBLIC_HEADER

# The root of a body, by the kind of resource and the component in the query.
_ROOTS = {
    ("service", "properties"): "StorageServiceProperties",
    ("container", "acl"): "SignedIdentifiers",
    ("", "blocklist"): "BlockList",
    ("", "tags"): "Tags",
}
_REQUIRED = {"CorsRule": ("AllowedOrigins", "AllowedMethods", "MaxAgeInSeconds"), "SignedIdentifier": ("Id",)}
_NOT_SERVED = ("immutabilityPolicies", "query", "seal", "undelete")
_MOST_BYTES = 16 << 20  # a list of 50,000 blocks takes 6 MB
_OF_LEASE = {"acquire": "x-ms-lease-duration", "change": "x-ms-proposed-lease-id"}
_RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{0,18})")
_BAD_ESCAPE = re.compile("%(?![0-9a-f]{2})", re.IGNORECASE)


def check_head(call: Call) -> None:
    """Raise StorageError 400 or 501 for a request that is wrong whatever its body is."""
    headers = call.request.headers
    if call.query.get("comp") in _NOT_SERVED:
        raise StorageError(501, "NotImplemented", f"comp={call.query['comp']} is not part of this local Azure.")
    if headers.get(PUBLIC_HEADER, "blob") not in ("blob", "container"):
        raise StorageError(400, "InvalidHeaderValue", f"The header {PUBLIC_HEADER} must be 'blob' or 'container'.")
    comp = call.query.get("comp")
    needed = _OF_LEASE.get(headers.get("x-ms-lease-action", "").lower(), "") if comp == "lease" else ""
    if needed and needed not in headers:
        raise StorageError(400, "MissingRequiredHeader", f"The header {needed} is missing.")
    if comp == "blobs" and not call.query.get("where"):
        raise StorageError(400, "MissingRequiredQueryParameter", "The query parameter 'where' is missing.")
    for text in filter(None, (headers.get("Range"), headers.get("x-ms-range"))):
        found = _RANGE.fullmatch(text.strip())
        if call.method == "GET" and (found is None or int(found[2] or found[1]) < int(found[1])):
            raise StorageError(416, "InvalidRange", "The range must be 'bytes=<start>-' or 'bytes=<start>-<end>'.")
    tags = headers.get("x-ms-tags", "")
    try:
        unquote(tags, errors="strict")
    except UnicodeDecodeError:
        tags = "%"
    if _BAD_ESCAPE.search(tags):
        raise StorageError(400, "InvalidHeaderValue", "The header x-ms-tags is not URL-encoded.")


async def read(call: Call) -> bytes | None:
    """Return the body of a request that must be XML of some form, or None for any other; raises StorageError 400."""
    root = _ROOTS.get((call.query.get("restype", ""), call.query.get("comp", "")))
    if call.method != "PUT" or root is None:
        return None
    raw = await call.read(_MOST_BYTES)
    if not raw and root == "SignedIdentifiers":
        return raw  # a container without policies
    try:
        found = ET.fromstring(raw)  # noqa: S314 - stdlib expands nothing external
    except ET.ParseError as error:
        raise StorageError(400, "InvalidXmlDocument", "XML specified is not syntactically valid.") from error
    missing = [
        f"{each.tag}.{name}"
        for each in found.iter()
        for name in _REQUIRED.get(each.tag, ())
        if not (each.findtext(name) or "").strip()
    ]
    if found.tag != root or (root == "StorageServiceProperties" and not len(found)):
        missing = [root]
    if missing:
        raise StorageError(400, "InvalidXmlDocument", f"XML specified has no {', '.join(missing)}.")
    return raw
