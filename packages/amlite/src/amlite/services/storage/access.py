"""Access checks for blobs, with the blob service's own error messages."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

from amlite import TENANT_ID
from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.services.entra.tokens import TOO_OLD, tokens
from amlite.services.storage import accounts

_AUDIENCES = frozenset({"https://storage.azure.com"})
EXPIRED = "Server failed to authenticate the request. Lifetime validation failed. The token is expired"
# Source: "Bearer challenge" in Microsoft's "Authorize with Microsoft Entra ID (REST API)" of Azure Storage.
_CHALLENGE = (
    f"Bearer authorization_uri=https://login.microsoftonline.com/{TENANT_ID}/oauth2/authorize "
    "resource_id=https://storage.azure.com"
)


class StorageError(AzureError):
    """An error of the blob service, with the code in `x-ms-error-code` and an XML body."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """Put the code into the header that storage clients read, and into a 401 where to get a token."""
        challenge = {"WWW-Authenticate": _CHALLENGE} if status == 401 else {}
        super().__init__(status, code, message, headers={"x-ms-error-code": code, **challenge})

    def content(self) -> tuple[str, str]:
        """Return the blob service's XML error."""
        text = f"<Error><Code>{self.code}</Code><Message>{escape(self.message)}</Message></Error>"
        return f'<?xml version="1.0" encoding="utf-8"?>{text}', "application/xml"


def principal_of(platform: Platform, token: str) -> Principal:
    """Return the principal of a token for Azure Storage. Raises StorageError 401."""
    try:
        return tokens(platform).principal_of(token, _AUDIENCES)
    except AzureError as error:
        text = f"{EXPIRED}." if error.code == TOO_OLD else error.message
        raise StorageError(401, "InvalidAuthenticationInfo", text) from error


def refuse_other_forms(path: str) -> None:
    """Raise StorageError 400 for a decoded path that clients write in another form: Azurite could read another blob."""
    if path.startswith("//") or "\\" in path or any(part in (".", "..") for part in path.split("/")):
        raise StorageError(
            400, "InvalidUri", "The requested URI does not represent any resource on the server: it is not canonical."
        )


def check_role(
    platform: Platform,
    principal: Principal,
    method: str,
    account: str,
    path: str,
    query: Mapping[str, str] | None = None,
) -> None:
    """Raise StorageError 403 unless a role permits a request of the blob service on `/container/blob`."""
    refuse_other_forms(path)
    keys = accounts.keys_of(platform, account)
    if keys is None:
        raise StorageError(404, "CannotVerifyCopySource", f"The storage account '{account}' does not exist.")
    container, _, name = path.strip("/").partition("/")
    verb = {"GET": "read", "HEAD": "read", "DELETE": "delete"}.get(method, "write")
    if name or (container and verb == "read" and (query or {}).get("comp") == "list"):
        allowed = accounts.may(platform, principal, account, container, verb)
    else:
        scope = f"{keys['id']}/blobServices/default/containers/{container}" if container else keys["id"]
        allowed = platform.access.allowed(principal, scope, f"{accounts.CONTAINERS}/{verb}")
    if not allowed:
        raise StorageError(
            403,
            "AuthorizationPermissionMismatch",
            "This request is not authorized to perform this operation using this permission.",
        )
