"""Paths of a data lake as blobs. A directory is an empty blob with metadata, or a path with blobs below it."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

from aiohttp import ClientResponse

from amlite.core.errors import AzureError
from amlite.core.wire import Json
from amlite.services.storage import blobs
from amlite.services.storage.blobs import DIRECTORY_HEADER, BlobPath, Entry

_CONDITIONS = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")
_SHOWN = ("etag", "last-modified", "content-length", "content-type", "content-range", "accept-ranges", "content-md5")
_CODES = {
    "BlobNotFound": "PathNotFound",
    "ContainerNotFound": "FilesystemNotFound",
    "BlobAlreadyExists": "PathAlreadyExists",
    "ContainerAlreadyExists": "FilesystemAlreadyExists",
}


class LakeError(AzureError):
    """An error of the data lake, with the code also in `x-ms-error-code`."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """Put the code into the header that storage clients read."""
        super().__init__(status, code, message, headers={"x-ms-error-code": code})


def paths(found: list[Entry], base: str, *, recursive: bool) -> list[Json]:
    """Return a data lake's listing of the blobs at or below `base`, including directories without a blob."""
    known = {entry.name.rstrip("/"): entry for entry in found}
    inside = f"{base}/" if base else ""
    for entry in found:
        for end, letter in enumerate(entry.name):
            if letter == "/" and end > len(base):
                known.setdefault(entry.name[:end], Entry(entry.name[:end], 0, entry.modified, entry.etag, True))
    kept = [
        entry
        for name, entry in sorted(known.items())
        if (name == base and not entry.directory)
        or (name.startswith(inside) and name != base and (recursive or "/" not in name[len(inside) :]))
    ]
    return [
        {
            "name": entry.name.rstrip("/"),
            **({"isDirectory": "true"} if entry.directory else {}),
            "contentLength": str(entry.length),
            "lastModified": entry.modified,
            "etag": entry.etag,
            "owner": "$superuser",
            "group": "$superuser",
            "permissions": "rwxr-x---" if entry.directory else "rw-r-----",
        }
        for entry in kept
    ]


def block(position: int) -> str:
    """Return the id of the block that begins at a position of a file."""
    return base64.b64encode(f"{position:020d}".encode()).decode()


def metadata(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the metadata in `x-ms-properties: name=<base64>,…` in the blob service's form. Raises LakeError 400."""
    found = {}
    for part in headers.get("x-ms-properties", "").split(","):
        name, equals, value = part.strip().partition("=")
        if equals:
            try:
                text = base64.b64decode(value, validate=True).decode("ascii")
            except ValueError as error:
                raise _invalid_properties(name) from error
            if not text.isprintable() or re.fullmatch(r"\w+", name, re.ASCII) is None:
                raise _invalid_properties(name)
            found[f"x-ms-meta-{name}"] = text
    return found


def _invalid_properties(name: str) -> LakeError:
    return LakeError(
        400, "InvalidPropertyName", f"x-ms-properties: '{name}' is not a name with a printable value in base64."
    )


def conditions(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the conditional headers of a request."""
    return {name: headers[name] for name in _CONDITIONS if name in headers}


def kept(answer: ClientResponse) -> dict[str, str]:
    """Return the headers of a data lake's response."""
    shown = {name: value for name, value in answer.headers.items() if name.lower() in _SHOWN}
    if answer.method in ("GET", "HEAD"):
        directory = answer.headers.get(DIRECTORY_HEADER, "").lower() == "true"
        shown["x-ms-resource-type"] = "directory" if directory else "file"
    else:
        shown.pop("Content-Length", None)
    said = {
        name[len("x-ms-meta-") :]: value
        for name, value in answer.headers.items()
        if name.lower().startswith("x-ms-meta-") and name.lower() != DIRECTORY_HEADER
    }
    if said:
        encoded = (f"{name}={base64.b64encode(value.encode()).decode()}" for name, value in said.items())
        shown["x-ms-properties"] = ",".join(encoded)
    return shown


async def check(answer: ClientResponse, place: BlobPath) -> None:
    """Raise LakeError if a response of the blob service is an error."""
    try:
        await blobs.check(answer, place)
    except AzureError as error:
        code = _CODES.get(error.code, error.code)
        if code == "StorageError" and answer.status == 404:
            code = "PathNotFound"
        raise LakeError(answer.status, code, error.message) from error
