"""Key vaults."""

from __future__ import annotations

from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.wire import Json


def _prepare(platform: Platform, id: ResourceId, body: Json, old: Json | None) -> Json:
    return {**body, "properties": {**body["properties"], "vaultUri": f"https://{id.name.lower()}.vault.azure.net/"}}


TYPES = [
    ResourceType(
        "Microsoft.KeyVault/vaults",
        pattern=r"(?=.{3,24}$)[a-zA-Z][a-zA-Z0-9]*(-[a-zA-Z0-9]+)*",
        rule="Vault names are 3-24 letters, digits and single hyphens; first a letter, last no hyphen.",
        required=("properties.tenantId", "properties.sku"),
        globally_unique=True,
        asynchronous=False,
        prepare=_prepare,
    )
]
