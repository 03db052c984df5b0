"""The blob endpoint `<account>.blob.core.windows.net`: amlite checks who asks, Azurite keeps the bytes."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote
from xml.sax.saxutils import escape

from aiohttp import ClientTimeout, web
from yarl import URL

from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.routing import Call, Routes
from amlite.services.entra.routes import tokens
from amlite.services.storage import azurite, batch, delegation
from amlite.services.storage.blobs import BlobPath
from amlite.services.storage.types import KEYS_TYPE

routes = Routes("*.blob.core.windows.net", audiences=None)
_AUDIENCES = frozenset({"https://storage.azure.com"})
_BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers"
_VERSION = "2023-11-03"
_HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "proxy-authorization"}


class StorageError(AzureError):
    """A refusal of the blob service; the code travels in `x-ms-error-code`, the body is XML."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """Keep the code where storage clients look for it."""
        super().__init__(status, code, message, headers={"x-ms-error-code": code})

    def content(self) -> tuple[str, str]:
        """Return the blob service's XML error."""
        text = f"<Error><Code>{self.code}</Code><Message>{escape(self.message)}</Message></Error>"
        return f'<?xml version="1.0" encoding="utf-8"?>{text}', "application/xml"


@routes.route("*", "/{path:path}")
async def blob(call: Call) -> web.StreamResponse:
    """Check the caller's token, key or signature, then hand the request to Azurite and stream its answer back."""
    request = call.request
    account = call.host.partition(".")[0]
    keys = call.platform.store.get(f"{KEYS_TYPE}/{account}")
    if keys is None:
        raise StorageError(404, "ResourceNotFound", f"The storage account '{account}' does not exist.")
    headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_HEADERS}
    raw_path = request.raw_path
    authorization = request.headers.get("Authorization", "")
    if authorization.lower().startswith("bearer "):
        principal = principal_of(call, authorization[7:])
        signature = azurite.account_sas(call.platform, account)
        if call.query.get("comp") == "batch":
            return await _batch(call, principal, signature)
        check_role(call, principal, call.method, call.path, call.query)
        _check_source(call, principal)
        del headers["Authorization"]
        raw_path += ("&" if "?" in raw_path else "?") + signature
    elif delegation.is_delegated(call.query):
        _check_delegation(call, account)
        path, _, query = raw_path.partition("?")
        signed = (delegation.without_signature(query), azurite.account_sas(call.platform, account))
        raw_path = f"{path}?{'&'.join(part for part in signed if part)}"
    elif not shared_key_allowed(call, keys.body["id"]) and (authorization or "sig" in call.query):
        # Any other signature stems from an account key.
        raise StorageError(
            403,
            "KeyBasedAuthenticationNotPermitted",
            "Key based authentication is not permitted on this storage account.",
        )
    target = f"http://127.0.0.1:{(await azurite.ensure(call.platform, account)).port}{raw_path}"
    upstream = await call.platform.http.request(
        request.method,
        URL(target, encoded=True),
        headers=headers,
        data=request.content if request.body_exists else None,
        allow_redirects=False,
        timeout=ClientTimeout(total=None),
        auto_decompress=False,
        skip_auto_headers=["Content-Type", "User-Agent", "Accept-Encoding"],
    )
    async with upstream:
        answer = web.StreamResponse(status=upstream.status)
        answer.headers.extend((k, v) for k, v in upstream.headers.items() if k.lower() not in _HOP_HEADERS)
        await answer.prepare(request)
        if request.method != "HEAD":
            async for chunk in upstream.content.iter_chunked(1 << 18):
                await answer.write(chunk)
        await answer.write_eof()
    return answer


async def _batch(call: Call, principal: Principal, signature: str) -> web.Response:
    """Answer a batch request by request: Azurite takes no token inside one."""
    try:
        parts = batch.parse(call.request.headers.get("Content-Type", ""), await call.request.read())
    except ValueError as error:
        raise StorageError(400, "InvalidInput", f"The batch cannot be read: {error}.") from error
    account = call.host.partition(".")[0]
    azurite_url = f"http://127.0.0.1:{(await azurite.ensure(call.platform, account)).port}"

    async def send(part: batch.Part) -> tuple[int, dict[str, str], str]:
        try:
            check_role(call, principal, part.method, unquote(part.target.partition("?")[0]))
        except StorageError as refusal:
            text, kind = refusal.content()
            return refusal.status, {**refusal.headers, "Content-Type": kind}, text
        headers = {k: v for k, v in part.headers.items() if k not in ("authorization", "host", "content-length")}
        target = f"{azurite_url}{part.target}{'&' if '?' in part.target else '?'}{signature}"
        async with call.platform.http.request(
            part.method, URL(target, encoded=True), headers={"x-ms-version": _VERSION, **headers, "Host": call.host}
        ) as one:
            kept = {k: v for k, v in one.headers.items() if k.lower() not in (*_HOP_HEADERS, "content-length")}
            return one.status, kept, await one.text()

    return await batch.answer(parts, send)


def principal_of(call: Call, token: str) -> Principal:
    """Return whom a token for Azure Storage speaks for; raises StorageError 401."""
    try:
        claims = tokens(call.platform).check(token, _AUDIENCES)
    except AzureError as error:
        raise StorageError(401, "InvalidAuthenticationInfo", error.message) from error
    return Principal(claims["oid"], claims["appid"])


def _check_source(call: Call, principal: Principal) -> None:
    """A copy reads its source: whoever names one without a signature must be allowed to."""
    source = BlobPath.parse(call.request.headers.get("x-ms-copy-source", ""))
    if source is not None and "sig=" not in call.request.headers["x-ms-copy-source"].partition("?")[2]:
        check_role(call, principal, "GET", f"/{source.container}/{source.path}", account=source.account)


def check_role(
    call: Call, principal: Principal, method: str, path: str, query: Mapping[str, str] | None = None, account: str = ""
) -> None:
    """Raise StorageError 403 unless a role permits a request of the blob service on `/container/blob`."""
    keys = call.platform.store.get(f"{KEYS_TYPE}/{account or call.host.partition('.')[0]}")
    if keys is None:
        raise StorageError(404, "CannotVerifyCopySource", f"The storage account '{account}' does not exist.")
    account_id = keys.body["id"]
    container, _, name = path.strip("/").partition("/")
    scope = f"{account_id}/blobServices/default/containers/{container}" if container else account_id
    lists_blobs = bool(container) and (query or {}).get("comp") == "list"
    verb = {"GET": "read", "HEAD": "read", "DELETE": "delete"}.get(method, "write")
    action, data = (f"{_BLOBS}/blobs/{verb}", True) if name or lists_blobs else (f"{_BLOBS}/{verb}", False)
    if not call.platform.access.allowed(principal, scope, action, data=data):
        raise StorageError(
            403,
            "AuthorizationPermissionMismatch",
            "This request is not authorized to perform this operation using this permission.",
        )


def _check_delegation(call: Call, account: str) -> None:
    container, _, path = call.path.lstrip("/").partition("/")
    if not delegation.permits(call.platform, call.method, BlobPath(account, container, path), call.query):
        raise StorageError(
            403,
            "AuthenticationFailed",
            "Server failed to authenticate the request. Make sure the value of Authorization header is formed "
            "correctly including the signature.",
        )


def shared_key_allowed(call: Call, account_id: str) -> bool:
    """Whether an account takes its keys, and signatures that stem from them."""
    account = call.platform.store.get(account_id)
    return account is None or account.body["properties"].get("allowSharedKeyAccess") is not False
