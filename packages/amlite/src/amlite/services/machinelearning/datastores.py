"""Datastores: a workspace's four defaults, and those that users add. Secrets are stored outside the resource."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from amlite.core import wire
from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.arm.resources import resource_of
from amlite.services.entra.tokens import tokens
from amlite.services.machinelearning.published.validation import writable
from amlite.services.machinelearning.references import WORKSPACE_TYPE, workspace
from amlite.services.storage import accounts, blobs, signatures

TYPE = f"{WORKSPACE_TYPE}/datastores"
DEFAULT = "workspaceblobstore"
_SECRETS_TYPE = "machinelearning/datastore-secrets"
_SYSTEM_IDENTITY = "WorkspaceSystemAssignedIdentity"
_SHARE = "code-391ff5ac-6576-460f-ba4d-7e03433c68b6"  # the same in every workspace in Azure
_LABEL = r"(?=.{3,63}$)[a-z0-9$]+(-[a-z0-9]+)*"
_LABEL_RULE = "3-63 lower-case letters, digits and single hyphens"
_PLACES = {
    "accountName": (r"[a-z0-9]{3,24}", "3-24 lower-case letters and digits"),
    "containerName": (_LABEL, _LABEL_RULE),
    "filesystem": (_LABEL, _LABEL_RULE),
    "fileShareName": (_LABEL, _LABEL_RULE),
}
# Kind of credentials -> the properties of its secrets.
_SECRETS = {
    "AccountKey": "key",
    "Certificate": "certificate",
    "Sas": "sasToken",
    "ServicePrincipal": "clientSecret",
}


async def create_defaults(platform: Platform, owner: Document) -> None:
    """Create or update a workspace's default datastores and their containers."""
    properties = owner.body["properties"]
    account = ResourceId.parse(properties["storageAccount"])
    if account is None:
        raise AzureError(400, "ValidationError", f"'{properties['storageAccount']}' is not a storage account.")
    by_identity = properties["systemDatastoresAuthMode"].lower() == "identity"
    service = "WorkspaceUserAssignedIdentity" if properties.get("primaryUserAssignedIdentity") else _SYSTEM_IDENTITY
    guid = properties["workspaceId"]
    common: Json = {
        "subscriptionId": account.subscription,
        "resourceGroup": account.group,
        "accountName": account.name,
        "endpoint": "core.windows.net",
        "protocol": "https",
        "credentials": {"credentialsType": "None" if by_identity else "AccountKey"},
        "serviceDataAccessAuthIdentity": service if by_identity else "None",
        "tags": {},
    }
    containers = {DEFAULT: f"azureml-blobstore-{guid}", "workspaceartifactstore": "azureml"}
    shares = {"workspaceworkingdirectory": _SHARE, "workspacefilestore": f"azureml-filestore-{guid}"}
    for name, container in containers.items():
        await blobs.create_container(platform, account.name, container)
        place = {"datastoreType": "AzureBlob", "containerName": container}
        _put(platform, owner, name, {**common, **place, "isDefault": name == DEFAULT})
    for name, share in shares.items():
        place = {"datastoreType": "AzureFile", "fileShareName": share}
        _put(platform, owner, name, {**common, **place, "isDefault": False})


def _put(platform: Platform, owner: Document, name: str, properties: Json) -> None:
    path = f"{owner.id}/datastores/{name}"
    old = platform.store.get(path)
    system = old.body["systemData"] if old else wire.created("Azure Machine Learning", platform.clock.stamp())
    platform.store.put(path, TYPE, wire.envelope(path, TYPE, properties, system))


def _prepare(platform: Platform, resource_id: ResourceId, body: Json, old: Json | None) -> Json:
    body = writable("Datastore", body)
    properties = body["properties"]
    fixed = ("datastoreType", "accountName", "containerName", "fileShareName", "filesystem")
    for name in fixed:
        if old and name in old["properties"] and properties.get(name) != old["properties"][name]:
            raise AzureError(
                400,
                "UserError",
                f"Datastore '{resource_id.name}' exists and its {name} cannot be changed; use another name.",
            )
    _check_place(properties)
    kind, secrets = properties["credentials"]["credentialsType"], properties["credentials"].pop("secrets", None)
    if kind == "None":  # in its model, secrets are an unknown field
        platform.store.delete(f"{resource_id}/secrets")
    elif secrets is not None:
        _check_secrets(kind, secrets)
        platform.store.put(f"{resource_id}/secrets", _SECRETS_TYPE, secrets)
    defaults: Json = {"endpoint": "core.windows.net", "protocol": "https", "serviceDataAccessAuthIdentity": "None"}
    places: Json = {"subscriptionId": resource_id.subscription, "resourceGroup": resource_id.group}
    added = {**places, **defaults, **properties, "isDefault": bool(old and old["properties"].get("isDefault"))}
    return {**body, "properties": {"tags": {}, **added}}


def _check_place(properties: Json) -> None:
    """Raise AzureError 400 for names that a storage account, container, file system or share cannot have."""
    for field, (pattern, rule) in _PLACES.items():
        value = properties.get(field)
        if value is not None and re.fullmatch(pattern, value) is None:
            raise AzureError(400, "ValidationError", f"properties.{field}: '{value}' is invalid: {rule}.")


def _check_secrets(kind: str, secrets: Json) -> None:
    """Raise AzureError 400 for secrets that are empty or do not belong to the kind of credentials."""
    field = _SECRETS[kind]
    if secrets.get("secretsType") != kind:
        raise AzureError(
            400,
            "ValidationError",
            f"properties.credentials.secrets.secretsType: credentials of type {kind} have secrets of that type, not "
            f"{secrets.get('secretsType')}.",
        )
    if not secrets.get(field):
        raise AzureError(400, "ValidationError", f"properties.credentials.secrets.{field}: The {field} is required.")


async def has_key(platform: Platform, workspace_id: str, target: blobs.BlobPath, verb: str) -> bool:
    """Whether a datastore of the workspace holds the account's key, or a signature to `read` or `write` the container.

    A key that is not the account's opens nothing, and a certificate neither: no application here has one.
    """
    keys = accounts.keys_of(platform, target.account) or {}
    for document in platform.store.below(f"{workspace_id}/datastores", TYPE):
        properties = document.body["properties"]
        if (properties.get("accountName") or "").lower() != target.account:
            continue
        saved = platform.store.get(f"{document.id}/secrets")
        container = properties.get("containerName") or properties.get("filesystem")
        match properties["credentials"]["credentialsType"]:
            case "AccountKey":  # without a secret, it is one of the defaults, of the workspace's own account
                if saved is None or saved.body["key"] in (keys.get("key1"), keys.get("key2")):
                    return True
            case "Sas":
                token = saved.body["sasToken"] if saved else ""
                if container == target.container and await signatures.opens(platform, target, token, verb):
                    return True
    return False


async def may(platform: Platform, workspace_id: str, target: blobs.BlobPath, who: Principal | None, verb: str) -> bool:
    """Whether Azure ML may `read` or `write` blobs for a workspace and a caller: what it does not own must be theirs.

    Its own account is open to a workspace. Of others, a credential of a datastore, or a role of the caller or of the
    workspace's identity must open the container.
    """
    owner = workspace(platform, workspace_id).body
    if str(owner["properties"]["storageAccount"]).rpartition("/")[2].lower() == target.account:
        return True
    if await has_key(platform, workspace_id, target, verb):
        return True
    identity = owner.get("identity") or {}
    own = [each["principalId"] for each in (identity.get("userAssignedIdentities") or {}).values()]
    holders = [Principal(id, id) for id in (*own, identity.get("principalId")) if id]
    signed_in = service_principal(platform, workspace_id, target)
    return any(
        each is not None and accounts.may(platform, each, target.account, target.container, verb)
        for each in (who, signed_in, *holders)
    )


async def require(
    platform: Platform, workspace_id: str, target: blobs.BlobPath, who: Principal | None, verb: str = "read"
) -> None:
    """Raise AzureError 403 unless `may`."""
    if not await may(platform, workspace_id, target, who, verb):
        raise AzureError(
            403,
            "AuthorizationPermissionMismatch",
            f"The workspace may not {verb} {target.url}: it has no credential for it, and neither the caller nor the "
            "workspace's identity has a role there.",
        )


def service_principal(platform: Platform, workspace_id: str, target: blobs.BlobPath) -> Principal | None:
    """Return the application that a workspace's datastore uses to access a container, or None if no datastore has one.

    Raises Entra's AzureError if the application does not exist or has another secret than the datastore.
    """
    for document in platform.store.below(workspace_id, TYPE):
        properties = document.body["properties"]
        place = (properties.get("accountName") or "", properties.get("containerName") or properties.get("filesystem"))
        credentials = properties["credentials"]
        if place == (target.account, target.container) and credentials["credentialsType"] == "ServicePrincipal":
            saved = platform.store.get(f"{document.id}/secrets")
            secret = saved.body["clientSecret"] if saved else ""
            return tokens(platform).principal_with_secret(credentials["clientId"], secret)
    return None


async def list_secrets(platform: Platform, resource_id: ResourceId, _body: Json) -> Any:
    """Return the secrets of a datastore. AzureError 400 if it has none."""
    properties = resource_of(platform, resource_id).body["properties"]
    kind = properties["credentials"]["credentialsType"]
    if kind == "None":
        raise AzureError(400, "UserError", f"Datastore '{resource_id.name}' signs in by identity: it has no secrets.")
    saved = platform.store.get(f"{resource_id}/secrets")
    if saved is not None:
        return {**saved.body, "secretsType": kind}
    keys = accounts.keys_of(platform, properties["accountName"])
    if keys is None:
        raise AzureError(400, "UserError", f"The storage account '{properties['accountName']}' was not found.")
    return {"secretsType": "AccountKey", "key": keys["key1"]}


def _listed(bodies: list[Json], query: Mapping[str, str]) -> list[Json]:
    """Filter a list by `isDefault=true` and `names=a,b`."""
    if query.get("isDefault", "").lower() == "true":
        bodies = [body for body in bodies if body["properties"]["isDefault"]]
    if names := query.get("names"):
        bodies = [body for body in bodies if body["name"].lower() in names.lower().split(",")]
    return bodies


def _check_deletion(_platform: Platform, _resource_id: ResourceId, body: Json) -> None:
    if body["properties"].get("isDefault"):
        raise AzureError(
            400,
            "UserError",
            f"Datastore '{body['name']}' is the workspace's default datastore and cannot be deleted.",
        )


TYPES = [
    ResourceType(
        TYPE,
        pattern=r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,254}",
        rule="Datastore names are 1-255 letters, digits, hyphens and underscores and begin with a letter or digit.",
        located=False,
        prepare=_prepare,
        check_deletion=_check_deletion,
        listed=_listed,
        actions={"listsecrets": list_secrets},
    )
]
