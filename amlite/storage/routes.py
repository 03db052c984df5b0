"""The blob endpoint `<account>.blob.core.windows.net`: amlite checks who asks, Azurite keeps the bytes."""

from __future__ import annotations

from xml.sax.saxutils import escape

from aiohttp import ClientTimeout, web
from yarl import URL

from amlite.access import Principal
from amlite.entra.routes import tokens
from amlite.errors import AzureError
from amlite.routing import Call, Routes
from amlite.storage import azurite, delegation
from amlite.storage.blobs import BlobPath
from amlite.storage.types import KEYS_TYPE

routes = Routes("*.blob.core.windows.net", audiences=None)
_AUDIENCES = frozenset({"https://storage.azure.com"})
_BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers"
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
        _check_token(call, authorization[7:], keys.body["id"])
        del headers["Authorization"]
        raw_path += ("&" if "?" in raw_path else "?") + azurite.account_sas(call.platform, account)
    elif delegation.is_delegated(call.query):
        _check_delegation(call, account)
        path, _, query = raw_path.partition("?")
        signed = (delegation.without_signature(query), azurite.account_sas(call.platform, account))
        raw_path = f"{path}?{'&'.join(part for part in signed if part)}"
    elif not _shared_key_allowed(call, keys.body["id"]) and (authorization or "sig" in call.query):
        # Any other signature stems from an account key.
        raise StorageError(
            403,
            "KeyBasedAuthenticationNotPermitted",
            "Key based authentication is not permitted on this storage account.",
        )
    target = f"http://127.0.0.1:{(await azurite.ensure(call.platform)).port}{raw_path}"
    body = request.content if request.body_exists else None
    upstream = await call.platform.http.request(
        request.method,
        URL(target, encoded=True),
        headers=headers,
        data=body,
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


def _check_token(call: Call, token: str, account_id: str) -> None:
    try:
        claims = tokens(call.platform).check(token, _AUDIENCES)
    except AzureError as error:
        raise StorageError(401, "InvalidAuthenticationInfo", error.message) from error
    parts = call.path.strip("/").split("/", 1)
    scope = f"{account_id}/blobServices/default/containers/{parts[0]}" if parts[0] else account_id
    on_container = len(parts) < 2 and "comp" not in call.query
    verb = {"GET": "read", "HEAD": "read", "DELETE": "delete"}.get(call.method, "write")
    principal = Principal(claims["oid"], claims["appid"])
    action, data = (f"{_BLOBS}/{verb}", False) if on_container else (f"{_BLOBS}/blobs/{verb}", True)
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


def _shared_key_allowed(call: Call, account_id: str) -> bool:
    account = call.platform.store.get(account_id)
    return account is None or account.body["properties"].get("allowSharedKeyAccess") is not False
