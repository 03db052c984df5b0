"""Key vaults: their creation, their soft deletion, and their recovery."""

from __future__ import annotations

import datetime as dt

from amlite.core.access import ASSIGNMENT_TYPE, Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.wire import Json

VAULT_TYPE = "Microsoft.KeyVault/vaults"
SECRETS = "keyvault/secrets"  # where the store has the secrets of vaults, by the names of the vaults
# The default and the bounds. Source: Microsoft's keyvault.json.
_DEFAULT_DAYS, _DAYS = 90, range(7, 91)
_TAKEN = (
    "VaultAlreadyExists",
    (
        "The vault name '{name}' is already in use. Vault names are globaly unique so it is possible that the name "
        "is already taken. If you are sure that the vault name was not taken then it is possible that a vault with "
        "the same name was recently deleted but not purged after being placed in a recoverable state. If the vault "
        "is in a recoverable state then the vault will need to be purged before reusing the name. For more "
        "information on soft delete and purging a vault follow this link "
        "https://go.microsoft.com/fwlink/?linkid=2147740."
    ),
)


def _prepare(platform: Platform, id: ResourceId, body: Json, old: Json | None) -> Json:
    wanted = dict(body["properties"])
    mode = str(wanted.pop("createMode", None) or "default").lower()
    if mode not in ("default", "recover"):
        raise AzureError(400, "BadRequest", f"properties.createMode must be 'default' or 'recover', not '{mode}'.")
    if mode == "recover":
        return _recovered(platform, id, body, old)
    if old is None and (deleted := platform.deleted.named(VAULT_TYPE, id.name)) is not None:
        raise _conflict(id, deleted.body["id"])
    _check(wanted, old["properties"] if old else {})
    if old is None:  # a vault that was purged may have had this name
        platform.store.delete(f"{SECRETS}/{id.name.lower()}")
    kept = {key: old["properties"][key] for key in ("softDeleteRetentionInDays", "enablePurgeProtection")
            if key in old["properties"]} if old else {}  # fmt: skip
    properties = {
        "enableSoftDelete": True,
        "softDeleteRetentionInDays": _DEFAULT_DAYS,
        **kept,
        **{key: value for key, value in wanted.items() if value is not None},
        "vaultUri": f"https://{id.name.lower()}.vault.azure.net/",
    }
    return {**body, "properties": properties}


def _recovered(platform: Platform, id: ResourceId, body: Json, old: Json | None) -> Json:
    """Return a soft-deleted vault unchanged. Recovery ignores the other properties of the request."""
    deleted = platform.deleted.get(str(id))
    if old is not None or deleted is None or deleted.body["location"] != body["location"]:
        raise AzureError(
            400,
            "SoftDeletedVaultDoesNotExist",
            "A soft deleted vault with the given name does not exist. Ensure that the name for the vault that is being "
            "attempted to recover is in a recoverable state. For more information on soft delete please follow this "
            "link https://go.microsoft.com/fwlink/?linkid=2149745",
        )
    platform.deleted.forget(str(id))
    return deleted.body


def _conflict(id: ResourceId, deleted_id: str) -> AzureError:
    """Return the error for a name that a soft-deleted vault with this id or another id reserves."""
    if deleted_id.lower() != str(id).lower():
        code, text = _TAKEN
        return AzureError(409, code, text.format(name=id.name))
    return AzureError(
        409,
        "ConflictError",
        "A vault with the same name already exists in deleted state. You need to either recover or purge existing key "
        "vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft delete.",
    )


def _check(wanted: Json, old: Json) -> None:
    """Raise Azure's 400 for soft-delete settings that are not valid, and for changes that Azure does not allow."""
    if wanted.get("enablePurgeProtection") is False:
        raise AzureError(
            400,
            "BadRequest",
            'The property "enablePurgeProtection" cannot be set to false. Enabling the purge protection for a vault is '
            "an irreversible action.",
        )
    if wanted.get("enableSoftDelete") is False:
        raise AzureError(
            400,
            "BadRequest",
            'The property "enableSoftDelete" can be set to false only for creating new vault. Enabling the '
            "'soft delete' functionality is an irreversible action.",
        )
    days = wanted.get("softDeleteRetentionInDays")
    if days is not None and (not isinstance(days, int) or days not in _DAYS):
        raise AzureError(
            400, "BadRequest", 'The property "softDeleteRetentionInDays" must be between 7 and 90 inclusive.'
        )
    if days is not None and old and days != old.get("softDeleteRetentionInDays"):
        raise AzureError(
            400,
            "BadRequest",
            'The property "softDeleteRetentionInDays" has been set already and it can\'t be modified.',
        )


def _check_change(platform: Platform, principal: Principal, id: ResourceId, body: Json, old: Json) -> None:
    """Raise Azure's 403 for a new permission model, unless the caller may assign roles: it decides who reads secrets.

    Source: "Provide access to Key Vault with an Azure role-based access control", and the error in Azure/bicep#13541.
    """
    before, after = (bool((each.get("properties") or {}).get("enableRbacAuthorization")) for each in (old, body))
    action = f"{ASSIGNMENT_TYPE}/write"
    if before != after and not platform.access.allowed(principal, str(id), action):
        raise AzureError(
            403,
            "InsufficientPermissions",
            "Caller is not allowed to change permission model. For more information on how to change the permissions "
            f"model follow this link: https://go.microsoft.com/fwlink/?linkid=2155160. Details: "
            f"oid={principal.object_id}; action={action}; resource={id}; decision=NotAllowed;",
        )


def _retention(body: Json) -> dt.timedelta:
    return dt.timedelta(days=body["properties"].get("softDeleteRetentionInDays", _DEFAULT_DAYS))


TYPES = [
    ResourceType(
        VAULT_TYPE,
        pattern=r"(?=.{3,24}$)[a-zA-Z][a-zA-Z0-9]*(-[a-zA-Z0-9]+)*",
        rule="Vault names are 3-24 letters, digits and single hyphens; first a letter, last no hyphen.",
        required=("properties.tenantId", "properties.sku"),
        globally_unique=True,
        taken=_TAKEN,
        retention=_retention,
        asynchronous=False,
        check_change=_check_change,
        prepare=_prepare,
    )
]
