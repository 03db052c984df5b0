"""The principals of user-assigned identities, and the variables for a process that acts as a managed identity."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable

from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.entra.federation import IDENTITY_TYPE

# Not an Azure host. On an Azure machine, environment variables name a link-local address for it.
HOST = "identity.amlite.internal"
_SECRETS = "entra/identity-secrets"


class IdentityError(AzureError):
    """An error of the token endpoint. MSAL reads the status and the message, which are not wrapped in `error`."""

    def content(self) -> tuple[str, str]:
        """Return the text and content type of the response."""
        return json.dumps({"statusCode": self.status, "message": self.message}), "application/json"


def principal_of(platform: Platform, identity_id: str) -> Principal:
    """Return the principal of a user-assigned identity. AzureError 400 if the identity does not exist."""
    document = platform.store.get(identity_id)
    if document is None or document.type != IDENTITY_TYPE.lower():
        raise AzureError(400, "FailedIdentityOperation", f"The user-assigned identity '{identity_id}' was not found.")
    properties = document.body["properties"]
    return Principal(properties["principalId"], properties["clientId"])


def assigned(platform: Platform, names: Iterable[str]) -> Json:
    """Return `userAssignedIdentities` in ARM's form: id → {principalId, clientId}. AzureError 400 for an unknown id."""
    found = {name: principal_of(platform, name) for name in names}
    return {name: {"principalId": who.object_id, "clientId": who.client_id} for name, who in found.items()}


def environment(platform: Platform, principal: Principal) -> dict[str, str]:
    """Return the environment variables with which a process signs in as a managed identity."""
    key = f"{_SECRETS}/{principal.client_id}"
    document = platform.store.get(key)
    if document is None:
        body = {"secret": secrets.token_urlsafe(24), "objectId": principal.object_id, "clientId": principal.client_id}
        document = platform.store.put(key, _SECRETS, body)
    return {
        "IDENTITY_ENDPOINT": f"https://{HOST}/msi/token",
        "IDENTITY_HEADER": document.body["secret"],
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        "DEFAULT_IDENTITY_CLIENT_ID": principal.client_id,
    }


def holder_of(platform: Platform, secret: str) -> Principal:
    """Return the identity with a process's secret. IdentityError 401 for an unknown secret."""
    for document in platform.store.of_type(_SECRETS):
        if secrets.compare_digest(document.body["secret"].encode(), secret.encode()):
            return Principal(document.body["objectId"], document.body["clientId"])
    raise IdentityError(401, "Unauthorized", "The X-IDENTITY-HEADER is missing or wrong.")
