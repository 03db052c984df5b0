"""The data lake endpoint `<account>.dfs.core.windows.net`: paths and directories, kept as the account's blobs.

It serves what azure-storage-file-datalake needs to create, write, read, list and delete files. It does not serve
renames, leases and access control lists. Source: the REST reference of Azure Data Lake Storage Gen2.
"""

from __future__ import annotations

import base64
from xml.etree import ElementTree as ET

from aiohttp import web

from amlite.core.errors import AzureError
from amlite.core.routing import Call, Routes, reply
from amlite.services.storage import accounts, azurite, blobs, changes, delegation, lake, shared_key
from amlite.services.storage.access import check_role, principal_of
from amlite.services.storage.blobs import DIRECTORY_HEADER, BlobPath
from amlite.services.storage.lake import LakeError

routes = Routes("*.dfs.core.windows.net", audiences=None, error=LakeError)
_PAGE = 5000
_MOST_APPENDED = 100 << 20
_SIGNATURE = ("sv", "ss", "srt", "sp", "st", "se", "sip", "spr", "sr", "si", "sdd", "sig")


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
        await lake.check(answer, place)
        return web.Response(status=answer.status, headers=lake.kept(answer))


@routes.put("/{filesystem}/{path:path}")
async def create(call: Call) -> web.Response:
    """Create a file or a directory, replacing an existing one."""
    kind = call.query.get("resource")
    if kind not in ("file", "directory") or "x-ms-rename-source" in call.request.headers:
        raise _not_served(call)
    place = _place(call)
    signature = await _signature(call, place, "PUT")
    headers = {
        "x-ms-blob-type": "BlockBlob",
        **lake.conditions(call.request.headers),
        **lake.metadata(call.request.headers),
    }
    if kind == "directory":
        headers[DIRECTORY_HEADER] = "true"
    async with await blobs.request(
        call.platform, "PUT", place, data=b"", headers=headers, signature=signature
    ) as answer:
        await lake.check(answer, place)
        kept = lake.kept(answer)
    await _make_parents(call, place)
    return web.Response(status=201, headers=kept)


@routes.patch("/{filesystem}/{path:path}")
async def update(call: Call) -> web.Response:
    """Append to a file, or commit the appended data."""
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
    answer = await _flush(call, place, int(position), signature)
    if call.query.get("close", "").lower() == "true":
        changes.announce(call.platform, changes.CREATED, place.account, place.container, place.path)
    return answer


@routes.delete("/{filesystem}/{path:path}")
async def delete(call: Call) -> web.Response:
    """Delete a file, or a directory with its contents."""
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
            await lake.check(answer, at)
        if not entry.directory:
            changes.announce(call.platform, changes.DELETED, at.account, at.container, at.path)
    return web.Response(status=200)


@routes.route("HEAD", "/{filesystem}/{path:path}")
async def describe(call: Call) -> web.Response:
    """Describe a file or directory."""
    place = _place(call)
    signature = await _signature(call, place, "HEAD")
    async with await blobs.request(
        call.platform, "HEAD", place, headers=lake.conditions(call.request.headers), signature=signature
    ) as answer:
        if answer.status == 404 and await blobs.entries(call.platform, place):
            return web.Response(headers={"x-ms-resource-type": "directory"})
        await lake.check(answer, place)
        return web.Response(headers=lake.kept(answer))


@routes.get("/{filesystem}/{path:path}")
async def read(call: Call) -> web.StreamResponse:
    """Answer with a file's content, or with the part in `Range`."""
    place = _place(call)
    signature = await _signature(call, place, "GET")
    asked = call.request.headers.get("x-ms-range") or call.request.headers.get("Range")
    headers = {**lake.conditions(call.request.headers), **({"x-ms-range": asked} if asked else {})}
    async with await blobs.request(call.platform, "GET", place, headers=headers, signature=signature) as upstream:
        await lake.check(upstream, place)
        answer = web.StreamResponse(status=upstream.status, headers=lake.kept(upstream))
        await answer.prepare(call.request)
        async for chunk in upstream.content.iter_chunked(1 << 18):
            await answer.write(chunk)
        await answer.write_eof()
    return answer


async def _make_parents(call: Call, place: BlobPath) -> None:
    """Create the missing parent directories of a path."""
    headers = {"x-ms-blob-type": "BlockBlob", DIRECTORY_HEADER: "true", "If-None-Match": "*"}
    for end, letter in enumerate(place.path):
        if letter == "/":
            parent = BlobPath(place.account, place.container, place.path[:end])
            async with await blobs.request(call.platform, "PUT", parent, data=b"", headers=headers) as answer:
                if answer.status not in (409, 412):  # it exists
                    await lake.check(answer, parent)


async def _append(call: Call, place: BlobPath, position: int, signature: str) -> None:
    """Stage the appended data as a block named after its position."""
    headers = {"Content-MD5": md5} if (md5 := call.request.headers.get("Content-MD5")) else {}
    query = {"comp": "block", "blockid": lake.block(position)}
    body = await call.read(_MOST_APPENDED)
    async with await blobs.request(
        call.platform, "PUT", place, query, data=body, headers=headers, signature=signature
    ) as answer:
        await lake.check(answer, place)


async def _flush(call: Call, place: BlobPath, position: int, signature: str) -> web.Response:
    """Commit the blocks up to a position, after the file's existing content."""
    query = {"comp": "blocklist", "blocklisttype": "all"}
    async with await blobs.request(call.platform, "GET", place, query) as answer:
        await lake.check(answer, place)
        listed = ET.fromstring(await answer.text())  # noqa: S314 - Azurite is a child process
    known = {
        block.findtext("Name") or "": int(block.findtext("Size") or 0)
        for kind in ("CommittedBlocks", "UncommittedBlocks")
        for block in listed.iterfind(f"{kind}/Block")
    }
    if not listed.findall("CommittedBlocks/Block") and (held := await _held(call, place)):
        # A client of the blob service wrote it as a whole. Its content becomes the first block.
        query = {"comp": "block", "blockid": lake.block(0)}
        async with await blobs.request(call.platform, "PUT", place, query, data=held, signature=signature) as answer:
            await lake.check(answer, place)
        known[lake.block(0)] = len(held)
    if sum(known.values()) != position:
        raise LakeError(
            400, "InvalidFlushPosition", f"{sum(known.values())} bytes were written, the flush says {position}."
        )
    async with await blobs.request(call.platform, "HEAD", place) as answer:
        # Committing a block list replaces a file's properties and metadata.
        said = {name: value for name, value in answer.headers.items() if name.lower().startswith("x-ms-meta-")}
        said["x-ms-blob-content-type"] = answer.headers.get("Content-Type", "")
    latest = "".join(f"<Latest>{block}</Latest>" for block in sorted(known, key=base64.b64decode))
    body = f"<BlockList>{latest}</BlockList>".encode()
    headers = {**lake.conditions(call.request.headers), **said}
    async with await blobs.request(
        call.platform, "PUT", place, {"comp": "blocklist"}, data=body, headers=headers, signature=signature
    ) as answer:
        await lake.check(answer, place)
        return web.Response(status=200, headers=lake.kept(answer))


async def _held(call: Call, place: BlobPath) -> bytes:
    """Return the content of a file that was written as a whole. LakeError 400 if it is too large to append to."""
    try:
        return await blobs.read(call.platform, place, most=_MOST_APPENDED)
    except AzureError as error:
        raise LakeError(error.status, error.code, error.message) from error


async def _list(call: Call, place: BlobPath) -> web.Response:
    """List the paths in a directory (or a file itself), recursively if requested."""
    signature = await _signature(call, place, "GET", listing=True)
    base = call.query.get("directory", "").strip("/")
    async with await blobs.request(call.platform, "HEAD", place, {"restype": "container"}) as answer:
        await lake.check(answer, place)
    found = await blobs.entries(call.platform, place / base if base else place, signature=signature)
    if base and not found:
        raise LakeError(404, "PathNotFound", "The specified path does not exist.")
    every = lake.paths(found, base, recursive=call.query.get("recursive", "").lower() == "true")
    start = call.number("continuation", 0)
    end = start + min(call.number("maxResults", _PAGE), _PAGE)
    headers = {"x-ms-continuation": str(end)} if end < len(every) else {}
    return reply({"paths": every[start:end]}, headers=headers)


async def _signature(call: Call, place: BlobPath, method: str, *, listing: bool = False) -> str:
    """Return the signature for forwarding a caller's request. LakeError 401 or 403 if it is not allowed.

    `method` is the blob service's equivalent.
    """
    keys = accounts.keys_of(call.platform, place.account)
    if keys is None:
        raise LakeError(404, "ResourceNotFound", f"The storage account '{place.account}' does not exist.")
    authorization = call.request.headers.get("Authorization", "")
    query = {**call.query, **({"comp": "list"} if listing else {})}
    if call.bearer is not None:
        try:
            principal = principal_of(call.platform, call.bearer)
            path = f"/{place.container}/{place.path}"
            check_role(call.platform, principal, method, place.account, path, query)
        except AzureError as error:
            raise LakeError(error.status, error.code, error.message) from error
        return azurite.account_sas(call.platform, place.account)
    if delegation.is_delegated(call.query):
        if not delegation.permits(call.platform, method, place, query):
            raise _unsigned()
        return azurite.account_sas(call.platform, place.account)
    if not accounts.shared_key_allowed(call.platform, keys["id"]) and (authorization or "sig" in call.query):
        raise LakeError(
            403,
            "KeyBasedAuthenticationNotPermitted",
            "Key based authentication is not permitted on this storage account.",
        )
    if "sig" in call.query:
        parts = call.request.rel_url.raw_query_string.split("&")
        return "&".join(part for part in parts if part.partition("=")[0] in _SIGNATURE)
    known = (keys["key1"], keys["key2"])
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


def _not_served(call: Call) -> LakeError:
    asked = call.query.get("action") or call.query.get("resource") or call.method
    return LakeError(501, "NotImplemented", f"'{asked}' of a data lake is not part of this local Azure.")
