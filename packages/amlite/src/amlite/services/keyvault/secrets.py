"""The secrets of a vault: their versions, their soft deletion, and who may use them.

Source: Microsoft's secrets.json (API version 7.4) and "Azure role-based access control for Key Vault".
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from typing import Any

from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.entra.tokens import ISSUER
from amlite.services.keyvault.types import SECRETS, VAULT_TYPE

NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")
# The operations by the data action that roles have, and by the permission that access policies have.
ACTIONS = {
    "get": "secrets/getSecret/action",
    "set": "secrets/setSecret/action",
    "list": "secrets/readMetadata/action",
    "update": "secrets/update/action",
    "delete": "secrets/delete",
    "recover": "secrets/recover/action",
    "purge": "secrets/purge/action",
}


def vault_of(platform: Platform, name: str) -> Document:
    """Return a vault by its name. AzureError 404 if there is none."""
    for document in platform.store.of_type(VAULT_TYPE):
        if document.body["name"].lower() == name.lower():
            return document
    raise AzureError(404, "VaultNotFound", f"The key vault '{name}' does not exist.")


def require(platform: Platform, vault: Document, principal: Principal, verb: str, name: str = "") -> None:
    """Raise Key Vault's 403 unless a role, or an access policy of a vault that has policies, allows an operation."""
    caller = f"appid={principal.client_id};oid={principal.object_id};iss={ISSUER}"
    place = f"{vault.body['name']};location={vault.body['location']}"
    properties = vault.body["properties"]
    if not properties.get("enableRbacAuthorization"):
        policies = [policy for policy in properties.get("accessPolicies") or ()
                    if str(policy.get("objectId")).lower() == principal.object_id.lower()]  # fmt: skip
        allowed = {str(each).lower() for policy in policies for each in policy["permissions"].get("secrets") or ()}
        if not {verb, "all"} & allowed:
            raise AzureError(
                403,
                "Forbidden",
                f"The user, group or application '{caller}' does not have secrets {verb} permission on key vault "
                f"'{place}'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287",
            )
        return
    action = f"{VAULT_TYPE}/{ACTIONS[verb]}"
    scope = f"{vault.id}/secrets/{name}" if name else vault.id
    if not platform.access.allowed(principal, scope, action, data=True):
        raise AzureError(
            403,
            "Forbidden",
            "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role "
            f"definitions were changed recently, please observe propagation time.\r\nCaller: {caller}\r\nAction: "
            f"'{action}'\r\nResource: '{scope}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\n"
            f"DecisionReason: null\r\nVault: {place}\r\n",
        )


def put(platform: Platform, vault: Document, name: str, given: Json) -> Json:
    """Add a version of a secret. AzureError 409 if the secret is soft-deleted."""
    known = platform.store.get(_key(vault, name))
    if known is not None and known.body.get("deleted"):
        raise AzureError(
            409,
            "Conflict",
            f"Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this "
            "state, the secret can only be recovered or purged.",
        )
    now = int(platform.clock.timestamp())
    attributes = {key: value for key, value in (given.get("attributes") or {}).items() if value is not None}
    version: Json = {
        "value": given["value"],
        "id": f"{vault.body['properties']['vaultUri']}secrets/{name}/{uuid.uuid4().hex}",
        **{key: given[key] for key in ("contentType", "tags") if given.get(key) is not None},
        "attributes": {
            "enabled": True,
            **attributes,
            "created": now,
            "updated": now,
            "recoveryLevel": "Recoverable" if _is_protected(vault) else "Recoverable+Purgeable",
            "recoverableDays": vault.body["properties"]["softDeleteRetentionInDays"],
        },
    }
    versions = [*(known.body["versions"] if known else []), version]
    platform.store.put(_key(vault, name), SECRETS, {"name": name, "versions": versions})
    return version


def get(platform: Platform, vault: Document, name: str, version: str = "") -> Json:
    """Return a version of a secret with its value (default: the newest). AzureError 404 or, if disabled, 403."""
    found = next((each for each in reversed(_live(platform, vault, name)["versions"])
                  if not version or each["id"].endswith(f"/{version}")), None)  # fmt: skip
    if found is None:
        raise _missing(name)
    if not found["attributes"]["enabled"]:
        raise AzureError(403, "Forbidden", "Operation get is not allowed on a disabled secret.")
    return dict(found)


def update(platform: Platform, vault: Document, name: str, version: str, given: Json) -> Json:
    """Change the attributes, the content type or the tags of a version, and return it without its value."""
    body = _live(platform, vault, name)
    for each in body["versions"]:
        if each["id"].endswith(f"/{version}"):
            changed = {key: value for key, value in (given.get("attributes") or {}).items() if value is not None}
            each["attributes"] |= {**changed, "updated": int(platform.clock.timestamp())}
            each |= {key: given[key] for key in ("contentType", "tags") if given.get(key) is not None}
            platform.store.put(_key(vault, name), SECRETS, body)
            return without_value(each)
    raise _missing(name)


def listed(platform: Platform, vault: Document, *, deleted: bool = False) -> list[Json]:
    """Return a vault's secrets, or the soft-deleted ones, as lists show them."""
    prefix = _key(vault, "").rstrip("/")
    bodies = [document.body for document in platform.store.below(prefix, SECRETS)]
    chosen = [body for body in bodies if bool(body.get("deleted")) == deleted]
    return [described(vault, body) if deleted else _item(body["versions"][-1], newest=True) for body in chosen]


def versions(platform: Platform, vault: Document, name: str) -> list[Json]:
    """Return the versions of a secret as lists show them."""
    return [_item(each) for each in _live(platform, vault, name)["versions"]]


def delete(platform: Platform, vault: Document, name: str) -> Json:
    """Delete a secret softly."""
    body = _live(platform, vault, name)
    body["deleted"] = int(platform.clock.timestamp())
    platform.store.put(_key(vault, name), SECRETS, body)
    return described(vault, body)


def deleted(platform: Platform, vault: Document, name: str) -> Json:
    """Return a soft-deleted secret as the store has it. AzureError 404 if there is none."""
    known = platform.store.get(_key(vault, name))
    if known is None or not known.body.get("deleted"):
        raise AzureError(404, "SecretNotFound", f"Deleted Secret not found: {name}")
    return dict(known.body)


def recover(platform: Platform, vault: Document, name: str) -> Json:
    """Take back the deletion of a secret."""
    body = {key: value for key, value in deleted(platform, vault, name).items() if key != "deleted"}
    platform.store.put(_key(vault, name), SECRETS, body)
    return without_value(body["versions"][-1])


def purge(platform: Platform, vault: Document, name: str) -> None:
    """Delete a soft-deleted secret permanently. AzureError 403 in a vault with purge protection."""
    deleted(platform, vault, name)
    if _is_protected(vault):
        raise AzureError(
            403,
            "Forbidden",
            'Operation "purge" is not allowed because purge protection is enabled for this vault. Key Vault service '
            "will automatically purge it after the retention period has passed.",
        )
    platform.store.delete(_key(vault, name))


def described(vault: Document, body: Json) -> Json:
    """Return a soft-deleted secret as the service shows it."""
    days = vault.body["properties"]["softDeleteRetentionInDays"]
    return {
        **without_value(body["versions"][-1]),
        "recoveryId": f"{vault.body['properties']['vaultUri']}deletedsecrets/{body['name']}",
        "deletedDate": body["deleted"],
        "scheduledPurgeDate": body["deleted"] + int(dt.timedelta(days=days).total_seconds()),
    }


def without_value(version: Json) -> Json:
    """Return a version without its value."""
    return {key: value for key, value in version.items() if key != "value"}


def _is_protected(vault: Document) -> bool:
    return bool(vault.body["properties"].get("enablePurgeProtection"))


def _live(platform: Platform, vault: Document, name: str) -> dict[str, Any]:
    known = platform.store.get(_key(vault, name))
    if known is None or known.body.get("deleted"):
        raise _missing(name)
    return known.body


def _item(version: Json, *, newest: bool = False) -> Json:
    shown = without_value(version)
    return {**shown, "id": shown["id"].rpartition("/")[0]} if newest else shown


def _key(vault: Document, name: str) -> str:
    return f"{SECRETS}/{vault.body['name'].lower()}/{name.lower()}"


def _missing(name: str) -> AzureError:
    return AzureError(
        404,
        "SecretNotFound",
        f"A secret with (name/id) {name} was not found in this key vault. If you recently deleted this secret you may "
        "be able to recover it using the correct recovery command. For help resolving this issue, please see "
        "https://go.microsoft.com/fwlink/?linkid=2125182",
    )
