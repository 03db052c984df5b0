"""Unity Catalog's storage credentials and external locations: which paths of a data lake a job may use, and as whom.

A storage credential stands for the identity of an access connector. An external location is a path with a credential.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from amlite.core.access import Principal
from amlite.core.platform import Platform
from amlite.core.published import fields
from amlite.core.resource_id import ResourceId
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.databricks import workspaces
from amlite.services.databricks.errors import DatabricksError, invalid, unknown
from amlite.services.databricks.types import CONNECTOR_TYPE
from amlite.services.storage import accounts
from amlite.services.storage.blobs import BlobPath

CREDENTIAL, LOCATION = "storage-credentials", "external-locations"
_USE_CONNECTOR = f"{CONNECTOR_TYPE}/write"
_NOUNS = {CREDENTIAL: "Storage Credential", LOCATION: "External Location"}
_KEYS = {
    CREDENTIAL: {"azure_managed_identity", "comment", "name", "read_only", "skip_validation"},
    LOCATION: {"comment", "credential_name", "name", "read_only", "skip_validation", "url"},
}
_NOT_CHANGED = {"name", "skip_validation"}
_FIELDS = {
    "azure_managed_identity": "map:str",
    "comment": "str",
    "credential_name": "str",
    "name": "str",
    "read_only": "bool",
    "url": "str",
}
_URL = re.compile(
    r"abfss://(?P<container>[a-z0-9-]+)@(?P<account>[a-z0-9]+)\.dfs\.core\.windows\.net(?P<path>/[^\s'\"]*)?"
)


@dataclass(frozen=True)
class Place:
    """A path of a data lake, and the identity that reaches it."""

    blob: BlobPath
    identity: Principal
    read_only: bool


def places(platform: Platform, workspace: Document, *texts: str) -> list[Place]:
    """Return the places of the paths in some texts. Raises DatabricksError for one that is in no external location."""
    return [_place(platform, workspace, found[0]) for text in texts for found in _URL.finditer(text)]


def create(platform: Platform, workspace: Document, who: Principal, kind: str, given: Json) -> Json:
    """Store a credential or location. Raises DatabricksError."""
    name = str(given.get("name") or "")
    if workspace.body["sku"]["name"].lower() != "premium":
        raise invalid("Unity Catalog needs a workspace with the SKU premium.")
    if not re.fullmatch(r"[\w-]{1,255}", name):
        raise invalid(f"'{name}' is not a valid name of a {_NOUNS[kind]}.")
    if wrong := sorted(given.keys() - _KEYS[kind]):
        raise invalid(f"{wrong[0]} is not part of this local Azure.")
    key = workspaces.content(workspace, kind, name)
    if platform.store.get(key) is not None:
        code = f"{kind.replace('-', '_').upper().removesuffix('S')}_ALREADY_EXISTS"
        raise DatabricksError(409, code, f"{_NOUNS[kind]} '{name}' already exists.")
    return put(platform, workspace, who, kind, {"name": name}, given)


def put(platform: Platform, workspace: Document, who: Principal, kind: str, old: Json, given: Json) -> Json:
    """Change a stored credential or location. Raises DatabricksError.

    A credential acts as the identity of an access connector, so its writer needs Contributor or Owner there.
    """
    known = {name: value for name, value in given.items() if name in _KEYS[kind] - _NOT_CHANGED}
    body = {**old, **fields(known, _FIELDS, invalid)}
    if kind == CREDENTIAL:
        _identity(platform, body)
        _check_connector(platform, who, body["azure_managed_identity"], old.get("azure_managed_identity"))
    else:
        _check_location(platform, workspace, body)
    return platform.store.put(workspaces.content(workspace, kind, body["name"]), f"databricks/{kind}", body).body


def get(platform: Platform, workspace: Document, kind: str, name: str) -> Json:
    """Return a credential or location. Raises DatabricksError."""
    document = platform.store.get(workspaces.content(workspace, kind, name))
    if document is None:
        raise unknown(f"{_NOUNS[kind]} '{name}' does not exist.")
    return document.body


def every(platform: Platform, workspace: Document, kind: str) -> list[Json]:
    """Return all credentials or locations."""
    return [each.body for each in platform.store.below(workspaces.content(workspace, kind), f"databricks/{kind}")]


def delete(platform: Platform, workspace: Document, kind: str, name: str) -> None:
    """Delete a credential or location. Raises DatabricksError for a credential that a location uses."""
    get(platform, workspace, kind, name)
    for location in every(platform, workspace, LOCATION) if kind == CREDENTIAL else []:
        if location["credential_name"] == name:
            raise invalid(f"Storage Credential '{name}' has 1 directly dependent external location(s); use force.")
    platform.store.delete(workspaces.content(workspace, kind, name))


def _place(platform: Platform, workspace: Document, url: str) -> Place:
    blob = _blob(url)
    for location in every(platform, workspace, LOCATION):
        base = _blob(location["url"])
        above = f"{base.path.rstrip('/')}/" if base.path.strip("/") else ""
        same = (base.account, base.container) == (blob.account, blob.container)
        if same and f"{blob.path}/".startswith(above):
            credential = get(platform, workspace, CREDENTIAL, location["credential_name"])
            return Place(blob, _identity(platform, credential), bool(location.get("read_only")))
    raise DatabricksError(
        400,
        "INVALID_PARAMETER_VALUE",
        f"[NO_PARENT_EXTERNAL_LOCATION_FOR_PATH] No parent external location was found for path '{url}'. Please create "
        "an external location on one of the parent paths and then retry the query or command again.",
    )


def _check_location(platform: Platform, workspace: Document, body: Json) -> None:
    if not _URL.fullmatch(str(body.get("url") or "")):
        raise invalid(f"url: '{body.get('url')}' must be abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/FOLDER")
    credential = get(platform, workspace, CREDENTIAL, str(body.get("credential_name")))
    blob = _blob(body["url"])
    keys = accounts.keys_of(platform, blob.account)
    account = platform.store.get(keys["id"]) if keys else None
    if account is None or not account.body["properties"].get("isHnsEnabled"):
        raise invalid(f"The storage account '{blob.account}' does not exist, or has no hierarchical namespace.")
    if not accounts.may(platform, _identity(platform, credential), blob.account, blob.container, "read"):
        raise DatabricksError(
            403,
            "PERMISSION_DENIED",
            f"The storage credential '{credential['name']}' cannot read {body['url']}. Its access connector needs the "
            "role Storage Blob Data Contributor.",
        )


def _identity(platform: Platform, credential: Json) -> Principal:
    given = credential.get("azure_managed_identity", {})
    if given.get("managed_identity_id"):
        raise invalid("azure_managed_identity.managed_identity_id is not part of this local Azure.")
    named = str(given.get("access_connector_id") or "")
    connector = platform.store.get(named) if ResourceId.parse(named) else None
    if connector is None or connector.type != CONNECTOR_TYPE.lower():
        raise invalid(f"azure_managed_identity.access_connector_id: the access connector '{named}' was not found.")
    principal = (connector.body.get("identity") or {}).get("principalId")
    if not principal:
        raise invalid(f"The access connector '{connector.body['name']}' has no managed identity.")
    return Principal(str(principal), connector.body["name"])


def _check_connector(platform: Platform, who: Principal, given: Json, before: Json | None) -> None:
    connector = str(given["access_connector_id"])
    if given != before and not platform.access.allowed(who, connector, _USE_CONNECTOR):
        raise DatabricksError(
            403,
            "PERMISSION_DENIED",
            f"The principal '{who.client_id}' may not use the access connector '{connector}'. It needs the role "
            "Contributor or Owner on it.",
        )


def _blob(url: str) -> BlobPath:
    found = _URL.fullmatch(url)
    if found is None:
        raise invalid(f"'{url}' is not a path of a data lake.")
    return BlobPath(found["account"], found["container"], (found["path"] or "").strip("/"))
