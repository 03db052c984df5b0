"""The blob endpoint `<account>.blob.core.windows.net`: amlite checks access, and Azurite stores the content."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote

from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from amlite.core import relay
from amlite.core.access import Principal
from amlite.core.fault_kinds import FaultKind
from amlite.core.routing import Call, Routes
from amlite.services.storage import accounts, azurite, batch, changes, copies, delegation, documents
from amlite.services.storage.access import EXPIRED, StorageError, check_role, principal_of, refuse_other_forms
from amlite.services.storage.blobs import DIRECTORY_HEADER, PUBLIC_HEADER, BlobPath

routes = Routes(
    "*.blob.core.windows.net",
    audiences=None,
    error=StorageError,
    faults={
        FaultKind.THROTTLE: (503, "ServerBusy", "The server is busy"),
        FaultKind.ERROR: (500, "InternalError", "The service stumbled"),
        FaultKind.EXPIRED: (401, "InvalidAuthenticationInfo", EXPIRED),
        FaultKind.EVENTUAL: (404, "BlobNotFound", "The specified blob does not exist"),
    },
)
_VERSION = "2023-11-03"


@routes.route("*", "/{path:path}")
async def blob(call: Call) -> web.StreamResponse:
    """Check the caller's token, key or signature, then forward the request to Azurite and stream its response back."""
    request = call.request
    account = call.host.partition(".")[0]
    keys = accounts.keys_of(call.platform, account)
    if keys is None:
        raise StorageError(404, "ResourceNotFound", f"The storage account '{account}' does not exist.")
    _refuse_repeated(request.query_string)
    documents.check_head(call)
    _check_public(call, keys["id"])
    headers = relay.passed(request.headers)
    raw_path = request.raw_path
    if call.bearer is not None:
        principal = principal_of(call.platform, call.bearer)
        signature = azurite.account_sas(call.platform, account)
        if call.query.get("comp") == "batch":
            return await _batch(call, principal, signature)
        check_role(call.platform, principal, call.method, account, call.path, call.query)
        await _check_source(call, principal, headers)
        del headers["Authorization"]
        raw_path += ("&" if "?" in raw_path else "?") + signature
    elif delegation.is_delegated(call.query):
        _check_delegation(call, account)
        await _check_source(call, None, headers)
        path, _, query = raw_path.partition("?")
        signed = (delegation.without_signature(query), azurite.account_sas(call.platform, account))
        raw_path = f"{path}?{'&'.join(part for part in signed if part)}"
    elif not accounts.shared_key_allowed(call.platform, keys["id"]) and (
        "Authorization" in request.headers or "sig" in call.query
    ):
        # Any other signature is made with an account key.
        raise StorageError(
            403,
            "KeyBasedAuthenticationNotPermitted",
            "Key based authentication is not permitted on this storage account.",
        )
    elif "sig" in call.query:
        await _check_source(call, None, headers)
    body = await documents.read(call)
    async with (
        azurite.used(call.platform, account) as child,
        relay.sent(child, request, raw_path, headers, call.error, body) as upstream,
    ):
        answer = await relay.stream(request, upstream, relay.passed(upstream.headers))
    if upstream.ok and (kind := _change(call)) is not None:
        container, _, path = call.path.lstrip("/").partition("/")
        changes.announce(call.platform, kind, account, container, path)
    return answer


def _change(call: Call) -> str | None:
    """Return the event that a successful request raises."""
    if "/" not in call.path.strip("/"):
        return None
    if call.method == "DELETE":
        return changes.DELETED
    headers, comp = call.request.headers, call.query.get("comp")
    whole = comp is None and headers.get("x-ms-blob-type", "BlockBlob") == "BlockBlob"
    if call.method == "PUT" and (whole or comp == "blocklist") and DIRECTORY_HEADER not in headers:
        return changes.CREATED
    return None


async def _batch(call: Call, principal: Principal, signature: str) -> web.Response:
    """Answer each request of a batch separately, because Azurite accepts no token in a batch."""
    try:
        parts = batch.parse(call.request.headers.get("Content-Type", ""), await call.read())
    except ValueError as error:
        raise StorageError(400, "InvalidInput", f"The batch cannot be read: {error}.") from error
    account = call.host.partition(".")[0]
    azurite_url = f"http://127.0.0.1:{(await azurite.ensure(call.platform, account)).port}"

    async def send(part: batch.Part) -> tuple[int, Mapping[str, str], str]:
        try:
            if part.method != "DELETE" and "comp=tier" not in part.target.partition("?")[2].split("&"):
                raise StorageError(400, "InvalidInput", "A batch deletes blobs, or sets their tier.")
            _refuse_repeated(part.target.partition("?")[2])
            check_role(call.platform, principal, part.method, account, unquote(part.target.partition("?")[0]))
        except StorageError as refusal:
            text, kind = refusal.content()
            return refusal.status, {**refusal.headers, "Content-Type": kind}, text
        headers = {k: v for k, v in part.headers.items() if k not in ("authorization", "host", "content-length")}
        target = f"{azurite_url}{part.target}{'&' if '?' in part.target else '?'}{signature}"
        async with call.platform.http.request(
            part.method, URL(target, encoded=True), headers={"x-ms-version": _VERSION, **headers, "Host": call.host}
        ) as one:
            kept = relay.passed(one.headers)
            kept.popall("Content-Length", None)
            if one.ok and part.method == "DELETE":
                container, _, path = unquote(part.target.partition("?")[0]).lstrip("/").partition("/")
                changes.announce(call.platform, changes.DELETED, account, container, path)
            return one.status, kept, await one.text()

    return await batch.answer(parts, send)


def _check_public(call: Call, account_id: str) -> None:
    """Raise StorageError 409 for a public container, and a request of anybody, if the account does not allow them."""
    is_signed = "Authorization" in call.request.headers or "sig" in call.query
    if (is_signed and PUBLIC_HEADER not in call.request.headers) or accounts.public_access_allowed(
        call.platform, account_id
    ):
        return
    raise StorageError(409, "PublicAccessNotPermitted", "Public access is not permitted on this storage account.")


def _refuse_repeated(query: str) -> None:
    """Raise StorageError 400 for a repeated parameter: amlite would check one of them, and Azurite follow another."""
    names = [name for name, _ in parse_qsl(query, keep_blank_values=True)]
    if len(set(names)) < len(names):
        raise StorageError(400, "InvalidQueryParameterValue", "A query parameter is there more than once.")


async def _check_source(call: Call, principal: Principal | None, headers: CIMultiDict[str]) -> None:
    """Check that the caller may read the source of a copy, and name it in its canonical form."""
    named = call.request.headers.getall(copies.HEADER, [])
    if len(named) > 1:
        raise StorageError(400, "InvalidHeaderValue", f"The header {copies.HEADER} is there more than once.")
    if named:
        if "x-ms-blob-type" in headers or "comp" in call.query:
            raise StorageError(501, "NotImplemented", "Of the operations with a source, amlite has Copy Blob only.")
        source = copies.parse(named[0])
        await copies.check(call.platform, source, principal)
        headers[copies.HEADER] = source.address


def _check_delegation(call: Call, account: str) -> None:
    refuse_other_forms(call.path)
    container, _, path = call.path.lstrip("/").partition("/")
    if not delegation.permits(call.platform, call.method, BlobPath(account, container, path), call.query):
        raise StorageError(
            403,
            "AuthenticationFailed",
            "Server failed to authenticate the request. Make sure the value of Authorization header is formed "
            "correctly including the signature.",
        )
