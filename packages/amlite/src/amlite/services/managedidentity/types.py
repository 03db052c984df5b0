"""User-assigned identities and their federated credentials."""

from __future__ import annotations

import uuid

from amlite import TENANT_ID
from amlite.core import directory
from amlite.core.directory import PrincipalKind
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.wire import Json
from amlite.services.entra.federation import CREDENTIAL_TYPE, IDENTITY_TYPE

_MOST_CREDENTIALS = 20


def _identity(platform: Platform, id: ResourceId, body: Json, old: Json | None) -> Json:
    kept = old["properties"] if old else {"principalId": str(uuid.uuid4()), "clientId": str(uuid.uuid4())}
    directory.register(platform.store, kept["principalId"], PrincipalKind.SERVICE_PRINCIPAL)
    added = {"principalId": kept["principalId"], "clientId": kept["clientId"], "tenantId": TENANT_ID}
    return {**body, "properties": {**body["properties"], **added}}


async def _deleting(platform: Platform, id: ResourceId) -> None:
    document = platform.store.get(str(id))
    if document is not None:
        directory.remove(platform.store, document.body["properties"]["principalId"])


def _credential(platform: Platform, id: ResourceId, body: Json, old: Json | None) -> Json:
    others = [doc for doc in platform.store.below(str(id.parent), CREDENTIAL_TYPE) if doc.id.lower() != str(id).lower()]
    if len(others) >= _MOST_CREDENTIALS:
        raise AzureError(
            400, "BadRequest", f"An identity has at most {_MOST_CREDENTIALS} federated identity credentials."
        )
    key = (body["properties"]["issuer"], body["properties"]["subject"])
    if any((doc.body["properties"]["issuer"], doc.body["properties"]["subject"]) == key for doc in others):
        raise AzureError(409, "Conflict", "Issuer and subject combination already exists for this Managed Identity.")
    return body


TYPES = [
    ResourceType(
        IDENTITY_TYPE,
        pattern=r"[A-Za-z0-9][\w-]{2,127}",
        rule="Identity names are 3-128 letters, digits, hyphens and underscores and begin with a letter or digit.",
        prepare=_identity,
        deleting=_deleting,
    ),
    ResourceType(
        CREDENTIAL_TYPE,
        pattern=r"[A-Za-z0-9][\w-]{2,119}",
        rule="Credential names are 3-120 letters, digits, hyphens and underscores and begin with a letter or digit.",
        located=False,
        required=("properties.issuer", "properties.subject", "properties.audiences"),
        prepare=_credential,
    ),
]
