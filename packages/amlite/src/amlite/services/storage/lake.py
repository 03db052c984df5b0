"""The data lake endpoint `<account>.dfs.core.windows.net`: paths and directories, kept as the account's blobs.

What azure-storage-file-datalake needs to make, fill, read, list and delete files; a directory is an empty blob that its
metadata calls one. Renames, leases and access control lists are not served. Source: the REST reference of Azure Data
Lake Storage Gen2.
"""

from __future__ import annotations

import base64
from xml.etree import ElementTree as ET

from aiohttp import ClientResponse, web

from amlite.core.errors import AzureError
from amlite.core.routing import Call, Json, Routes, reply
from amlite.services.storage import azurite, blobs, delegation, shared_key
from amlite.services.storage.blobs import DIRECTORY_HEADER, BlobPath, Entry
from amlite.services.storage.routes import check_role, principal_of, shared_key_allowed
from amlite.services.storage.types import KEYS_TYPE

routes = Routes("*.dfs.core.windows.net", audiences=None)

_PAGE = 5000
_SIGNATURE = ("sv", "ss", "srt", "sp", "st", "se", "sip", "spr", "sr", "si", "sdd", "sig")
_CONDITIONS = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")
_SHOWN = ("etag", "last-modified", "content-length", "content-type", "content-range", "accept-ranges", "content-md5")
_CODES = {
    "BlobNotFound": "PathNotFound",
    "ContainerNotFound": "FilesystemNotFound",
    "BlobAlreadyExists": "PathAlreadyExists",
    "ContainerAlreadyExists": "FilesystemAlreadyExists",
}


class LakeError(AzureError):
    """A refusal of the data lake; the code travels in `x-ms-error-code` too."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """Keep the code where storage clients look for it."""
        super().__init__(status, code, message, headers={"x-ms-error-code": code})


@routes.route("*", "/{filesystem}")
async def filesystem(call: Call) -> web.Response:
    """Create, describe or delete a file system, which is a container; list the paths in it."""
    place = _place(call)
    if call.method == "GET" and call.query.get("resource") == "filesystem":
        return await _list(call, place)
    if call.method not in ("PUT", "HEAD", "DELETE") or call.query.get("resource") != "filesystem":
        raise _not_served(call)
    signature = await _signature(call, place, call.method)
    query = {"restype": "container"}
    async with await blobs.request(call.platform, call.method, place, query, signature=signature) as answer:
        await _check(answer, place)
        return web.Response(status=answer.status, headers=_kept(answer))


@routes.put("/{filesystem}/{path:path}")
async def create(call: Call) -> web.Response:
    """Create a file or a directory, in place of what is there."""
    kind = call.query.get("resource")
    if kind not in ("file", "directory") or "x-ms-rename-source" in call.request.headers:
        raise _not_served(call)
    place = _place(call)
    signature = await _signature(call, place, "PUT")
    headers = {"x-ms-blob-type": "BlockBlob", **_conditions(call), **_metadata(call)}
    if kind == "directory":
        headers[DIRECTORY_HEADER] = "true"
    async with await blobs.request(
        call.platform, "PUT", place, data=b"", headers=headers, signature=signature
    ) as answer:
        await _check(answer, place)
        kept = _kept(answer)
    await _make_parents(call, place)
    return web.Response(status=201, headers=kept)


@routes.patch("/{filesystem}/{path:path}")
async def update(call: Call) -> web.Response:
    """Append to a file, or make what was appended its content."""
    place = _place(call)
    action = call.query.get("action")
    if action not in ("append", "flush"):
        raise _not_served(call)
    signature = await _signature(call, place, "PUT")
    position = call.query.get("position", "")
    if not position.isdigit():
        raise LakeError(400, "MissingRequiredQueryParameter", "position: a number of bytes is required.")
    if action == "append":
        await _append(call, place, int(position), signature)
        if call.query.get("flush") != "true":
            return web.Response(status=202)
        position = str(int(position) + (call.request.content_length or 0))
    return await _flush(call, place, int(position), signature)


@routes.delete("/{filesystem}/{path:path}")
async def delete(call: Call) -> web.Response:
    """Delete a file, or a directory with what is in it."""
    place = _place(call)
    signature = await _signature(call, place, "DELETE")
    found = await blobs.entries(call.platform, place)
    if not found:
        raise LakeError(404, "PathNotFound", "The specified path does not exist.")
    if len(found) > 1 and call.query.get("recursive", "").lower() != "true":
        raise LakeError(409, "DirectoryNotEmpty", "The directory is not empty; delete it recursively.")
    for entry in reversed(found):
        at = BlobPath(place.account, place.container, entry.name)
        async with await blobs.request(call.platform, "DELETE", at, signature=signature) as answer:
            await _check(answer, at)
    return web.Response(status=200)


@routes.route("HEAD", "/{filesystem}/{path:path}")
async def describe(call: Call) -> web.Response:
    """Describe a file or directory."""
    place = _place(call)
    signature = await _signature(call, place, "HEAD")
    async with await blobs.request(
        call.platform, "HEAD", place, headers=_conditions(call), signature=signature
    ) as answer:
        if answer.status == 404 and await blobs.entries(call.platform, place):
            return web.Response(headers={"x-ms-resource-type": "directory"})
        await _check(answer, place)
        return web.Response(headers=_kept(answer))


@routes.get("/{filesystem}/{path:path}")
async def read(call: Call) -> web.StreamResponse:
    """Answer with a file's content, or the part of it that `Range` asks for."""
    place = _place(call)
    signature = await _signature(call, place, "GET")
    asked = call.request.headers.get("x-ms-range") or call.request.headers.get("Range")
    headers = {**_conditions(call), **({"x-ms-range": asked} if asked else {})}
    async with await blobs.request(call.platform, "GET", place, headers=headers, signature=signature) as upstream:
        await _check(upstream, place)
        answer = web.StreamResponse(status=upstream.status, headers=_kept(upstream))
        await answer.prepare(call.request)
        async for chunk in upstream.content.iter_chunked(1 << 18):
            await answer.write(chunk)
        await answer.write_eof()
    return answer


async def _make_parents(call: Call, place: BlobPath) -> None:
    """Create the directories that a path lies in, those that are not there."""
    headers = {"x-ms-blob-type": "BlockBlob", DIRECTORY_HEADER: "true", "If-None-Match": "*"}
    for end, letter in enumerate(place.path):
        if letter == "/":
            parent = BlobPath(place.account, place.container, place.path[:end])
            async with await blobs.request(call.platform, "PUT", parent, data=b"", headers=headers) as answer:
                if answer.status not in (409, 412):  # it is there
                    await _check(answer, parent)


async def _append(call: Call, place: BlobPath, position: int, signature: str) -> None:
    """Stage what is appended as a block that its position names."""
    headers = {"Content-MD5": md5} if (md5 := call.request.headers.get("Content-MD5")) else {}
    query = {"comp": "block", "blockid": _block(position)}
    body = await call.request.read()
    async with await blobs.request(
        call.platform, "PUT", place, query, data=body, headers=headers, signature=signature
    ) as answer:
        await _check(answer, place)


async def _flush(call: Call, place: BlobPath, position: int, signature: str) -> web.Response:
    """Commit the blocks up to a position, behind what the file holds already."""
    query = {"comp": "blocklist", "blocklisttype": "all"}
    async with await blobs.request(call.platform, "GET", place, query) as answer:
        await _check(answer, place)
        listed = ET.fromstring(await answer.text())  # noqa: S314 - Azurite is our own child
    known = {
        block.findtext("Name") or "": int(block.findtext("Size") or 0)
        for kind in ("CommittedBlocks", "UncommittedBlocks")
        for block in listed.iterfind(f"{kind}/Block")
    }
    if not listed.findall("CommittedBlocks/Block") and (held := await blobs.read(call.platform, place)):
        # It was written whole, by a client of the blob service: its content becomes the first block.
        query = {"comp": "block", "blockid": _block(0)}
        async with await blobs.request(call.platform, "PUT", place, query, data=held, signature=signature) as answer:
            await _check(answer, place)
        known[_block(0)] = len(held)
    if sum(known.values()) != position:
        raise LakeError(
            400, "InvalidFlushPosition", f"{sum(known.values())} bytes were written, the flush says {position}."
        )
    async with await blobs.request(call.platform, "HEAD", place) as answer:
        # A list of blocks replaces what a file says of itself.
        said = {name: value for name, value in answer.headers.items() if name.lower().startswith("x-ms-meta-")}
        said["x-ms-blob-content-type"] = answer.headers.get("Content-Type", "")
    latest = "".join(f"<Latest>{block}</Latest>" for block in sorted(known, key=base64.b64decode))
    body = f"<BlockList>{latest}</BlockList>".encode()
    headers = {**_conditions(call), **said}
    async with await blobs.request(
        call.platform, "PUT", place, {"comp": "blocklist"}, data=body, headers=headers, signature=signature
    ) as answer:
        await _check(answer, place)
        return web.Response(status=200, headers=_kept(answer))


async def _list(call: Call, place: BlobPath) -> web.Response:
    """List the paths in a directory (or a file itself), those further down too where that is asked."""
    signature = await _signature(call, place, "GET", listing=True)
    base = call.query.get("directory", "").strip("/")
    async with await blobs.request(call.platform, "HEAD", place, {"restype": "container"}) as answer:
        await _check(answer, place)
    found = await blobs.entries(call.platform, place / base if base else place, signature=signature)
    if base and not found:
        raise LakeError(404, "PathNotFound", "The specified path does not exist.")
    every = paths(found, base, recursive=call.query.get("recursive", "").lower() == "true")
    start = int(call.query.get("continuation") or 0)
    end = start + min(int(call.query.get("maxResults") or _PAGE), _PAGE)
    headers = {"x-ms-continuation": str(end)} if end < len(every) else {}
    return reply({"paths": every[start:end]}, headers=headers)


def paths(found: list[Entry], base: str, *, recursive: bool) -> list[Json]:
    """Return what a data lake lists for blobs at or below `base`: directories that no blob stands for included."""
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


async def _signature(call: Call, place: BlobPath, method: str, *, listing: bool = False) -> str:
    """Return the signature that a caller's request goes on with; LakeError 401 or 403 for one that may not do this.

    `method` is what the blob service calls the same.
    """
    keys = call.platform.store.get(f"{KEYS_TYPE}/{place.account}")
    if keys is None:
        raise LakeError(404, "ResourceNotFound", f"The storage account '{place.account}' does not exist.")
    authorization = call.request.headers.get("Authorization", "")
    query = {**call.query, **({"comp": "list"} if listing else {})}
    if authorization.lower().startswith("bearer "):
        try:
            principal = principal_of(call, authorization[7:])
            check_role(call, principal, method, f"/{place.container}/{place.path}", query)
        except AzureError as error:
            raise LakeError(error.status, error.code, error.message) from error
        return azurite.account_sas(call.platform, place.account)
    if delegation.is_delegated(call.query):
        if not delegation.permits(call.platform, method, place, query):
            raise _unsigned()
        return azurite.account_sas(call.platform, place.account)
    if not shared_key_allowed(call, keys.body["id"]) and (authorization or "sig" in call.query):
        raise LakeError(
            403,
            "KeyBasedAuthenticationNotPermitted",
            "Key based authentication is not permitted on this storage account.",
        )
    if "sig" in call.query:
        parts = call.request.rel_url.raw_query_string.split("&")
        return "&".join(part for part in parts if part.partition("=")[0] in _SIGNATURE)
    known = (keys.body["key1"], keys.body["key2"])
    raw = call.request.raw_path
    if not shared_key.permits(known, place.account, call.method, raw, call.request.headers, authorization):
        raise _unsigned()
    return azurite.account_sas(call.platform, place.account)


def _unsigned() -> LakeError:
    return LakeError(
        403,
        "AuthenticationFailed",
        "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly "
        "including the signature.",
    )


def _place(call: Call) -> BlobPath:
    account = call.host.partition(".")[0]
    return BlobPath(account, call.parameters["filesystem"], call.parameters.get("path", "").strip("/"))


def _block(position: int) -> str:
    return base64.b64encode(f"{position:020d}".encode()).decode()


def _metadata(call: Call) -> dict[str, str]:
    """Return the metadata that `x-ms-properties: name=<base64>,…` says, as the blob service takes it."""
    found = {}
    for part in call.request.headers.get("x-ms-properties", "").split(","):
        name, equals, value = part.strip().partition("=")
        if equals:
            found[f"x-ms-meta-{name}"] = base64.b64decode(value).decode()
    return found


def _conditions(call: Call) -> dict[str, str]:
    return {name: call.request.headers[name] for name in _CONDITIONS if name in call.request.headers}


def _kept(answer: ClientResponse) -> dict[str, str]:
    """Return the headers that a data lake answers with."""
    kept = {name: value for name, value in answer.headers.items() if name.lower() in _SHOWN}
    if answer.method in ("GET", "HEAD"):
        directory = answer.headers.get(DIRECTORY_HEADER, "").lower() == "true"
        kept["x-ms-resource-type"] = "directory" if directory else "file"
    else:
        kept.pop("Content-Length", None)
    said = {
        name[len("x-ms-meta-") :]: value
        for name, value in answer.headers.items()
        if name.lower().startswith("x-ms-meta-") and name.lower() != DIRECTORY_HEADER
    }
    if said:
        encoded = (f"{name}={base64.b64encode(value.encode()).decode()}" for name, value in said.items())
        kept["x-ms-properties"] = ",".join(encoded)
    return kept


async def _check(answer: ClientResponse, place: BlobPath) -> None:
    try:
        await blobs.check(answer, place)
    except AzureError as error:
        code = _CODES.get(error.code, error.code)
        if code == "StorageError" and answer.status == 404:
            code = "PathNotFound"
        raise LakeError(answer.status, code, error.message) from error


def _not_served(call: Call) -> LakeError:
    asked = call.query.get("action") or call.query.get("resource") or call.method
    return LakeError(501, "NotImplemented", f"'{asked}' of a data lake is not part of this local Azure.")
