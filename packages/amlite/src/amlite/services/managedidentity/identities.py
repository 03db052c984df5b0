"""The principals of user-assigned identities, and the variables for a process that acts as a managed identity."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping

from amlite.core import directory
from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.entra.federation import IDENTITY_TYPE

# Not an Azure host. On an Azure machine, environment variables name a link-local address for it.
HOST = "identity.amlite.internal"
_SECRETS = "entra/process-secrets"


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


def environment(platform: Platform, principal: Principal, holder: str) -> dict[str, str]:
    """Return the environment variables with which a process signs in as a managed identity, until `forget`.

    `holder` is a name of the process. A process that takes its place signs in with the same variables.
    """
    who = {"objectId": principal.object_id, "clientId": principal.client_id}
    document = platform.store.get(f"{_SECRETS}/{holder}")
    if document is None or {key: document.body[key] for key in who} != who:
        document = platform.store.put(f"{_SECRETS}/{holder}", _SECRETS, {"secret": secrets.token_urlsafe(24), **who})
    address, secret = f"https://{HOST}/msi/token", document.body["secret"]
    return {
        "IDENTITY_ENDPOINT": address,
        "IDENTITY_HEADER": secret,
        # Azure ML's own names. Without them, azureml-dataprep (mltable, azureml-fsspec) asks a user to sign in.
        "MSI_ENDPOINT": address,
        "MSI_SECRET": secret,
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        "DEFAULT_IDENTITY_CLIENT_ID": principal.client_id,
    }


def on_behalf_of(variables: Mapping[str, str]) -> dict[str, str]:
    """Return what AzureMLOnBehalfOfCredential of azure-ai-ml reads in a process with the variables of `environment`.

    It sends no header. Azure's endpoint is a port of the node; this one tells processes apart by their secrets, in a
    parameter that no log has.
    """
    return {"OBO_ENDPOINT": f"https://{HOST}/obo/token?code={variables['IDENTITY_HEADER']}"}


def forget(platform: Platform, holder: str) -> None:
    """Let a process that has ended sign in no more: its variables may be in its log."""
    platform.store.delete(f"{_SECRETS}/{holder}")


def holder_of(platform: Platform, secret: str) -> Principal:
    """Return the identity with a process's secret. IdentityError 401 for an unknown one, and for a deleted identity."""
    for document in platform.store.of_type(_SECRETS):
        if secrets.compare_digest(document.body["secret"].encode(), secret.encode()):
            found = Principal(document.body["objectId"], document.body["clientId"])
            if directory.kind_of(platform.store, found.object_id) is not None:
                return found
    raise IdentityError(401, "Unauthorized", "The X-IDENTITY-HEADER is missing or wrong.")
