"""The common parts of online and batch endpoints: their names and their identities.

Names are unique in a region across online and batch endpoints, because they are host names.
"""

from __future__ import annotations

import uuid

from amlite import TENANT_ID
from amlite.core import directory
from amlite.core.access import Principal, role_id
from amlite.core.directory import PrincipalKind
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.machinelearning import references
from amlite.services.machinelearning.references import WORKSPACE_TYPE
from amlite.services.managedidentity import identities

PATTERN = r"[A-Za-z][A-Za-z0-9-]{2,31}"
RULE = "Names begin with a letter, are 3 to 32 characters long and consist of letters, digits and hyphens."
ONLINE_TYPE = f"{WORKSPACE_TYPE}/onlineEndpoints"
BATCH_TYPE = f"{WORKSPACE_TYPE}/batchEndpoints"
_IDENTITIES = "serving/identities"


def check_unique(platform: Platform, resource_id: ResourceId, region: str) -> None:
    """Raise the service's error if an endpoint with the name exists in the region, in any workspace."""
    for kind in (ONLINE_TYPE, BATCH_TYPE):
        for other in platform.store.of_type(kind):
            if other.body["name"].lower() == resource_id.name.lower() and other.body["location"] == region:
                raise AzureError(
                    400,
                    "UserError",
                    f"The specified endpoint name '{resource_id.name}' is not available. Endpoint names must be unique "
                    "within the region. Please choose a different name and try again.",
                )


def of_host(platform: Platform, kind: str, host: str) -> Document | None:
    """Return the endpoint of a type for a scoring host, `<endpoint>.<region>.…`, or None."""
    name, _, rest = host.partition(".")
    region = rest.partition(".")[0]
    for document in platform.store.of_type(kind):
        if document.body["name"].lower() == name and document.body["location"] == region:
            return document
    return None


def assign_identity(platform: Platform, resource_id: ResourceId, wanted: Json | None, old: Json | None) -> Json:
    """Return an endpoint's `identity`: a user-assigned or a new system-assigned one. Raises AzureError 400.

    A system-assigned identity gets the same roles as in Azure: it reads the workspace's storage, pulls its images, and
    writes metrics to it. Source: "Authentication for managed online endpoints".
    """
    if wanted is None and old is not None:
        return dict(old["identity"])
    kind = str((wanted or {}).get("type") or "SystemAssigned").replace(" ", "").lower()
    named = (wanted or {}).get("userAssignedIdentities") or {}
    if kind == "userassigned" and not named:
        raise AzureError(400, "BadArgument", "identity.userAssignedIdentities: name the identity the endpoint acts as.")
    if kind not in ("userassigned", "systemassigned"):
        raise AzureError(
            400, "BadArgument", f"identity.type: an endpoint takes SystemAssigned or UserAssigned, not '{kind}'."
        )
    if kind == "userassigned":
        identity: Json = {"type": "UserAssigned", "userAssignedIdentities": identities.assigned(platform, named)}
    else:
        own = _own(platform, resource_id)
        identity = {"type": "SystemAssigned", "principalId": own.object_id, "tenantId": TENANT_ID}
    if old is not None and _essence(identity) != _essence(old["identity"]):
        raise AzureError(
            400, "BadArgument", "identity: an endpoint's identity cannot be changed; delete the endpoint and create it."
        )
    return identity


def principal_of(platform: Platform, endpoint: Json) -> Principal:
    """Return the principal of an endpoint (an ARM envelope). If it has several identities, it uses the first one."""
    for name in endpoint["identity"].get("userAssignedIdentities") or {}:
        return identities.principal_of(platform, name)
    document = platform.store.get(f"{_IDENTITIES}{endpoint['id']}")
    if document is None:
        raise AzureError(404, "ResourceNotFound", f"The identity of endpoint '{endpoint['name']}' is gone.")
    return Principal(document.body["objectId"], document.body["clientId"])


def forget_identity(platform: Platform, endpoint_id: str) -> None:
    """Delete an endpoint's system-assigned identity, if it has one, and its role assignments."""
    document = platform.store.get(f"{_IDENTITIES}{endpoint_id}")
    if document is not None:
        for assignment in document.body["assignments"]:
            platform.store.delete(assignment)
        directory.remove(platform.store, document.body["objectId"])
        platform.store.delete(document.id)


def _own(platform: Platform, resource_id: ResourceId) -> Principal:
    document = platform.store.get(f"{_IDENTITIES}{resource_id}")
    if document is None:
        principal = Principal(str(uuid.uuid4()), str(uuid.uuid4()))
        directory.register(platform.store, principal.object_id, PrincipalKind.SERVICE_PRINCIPAL)
        workspace = references.workspace(platform, str(resource_id.parent)).body["properties"]
        grants = (
            (workspace.get("storageAccount"), role_id("Storage Blob Data Reader")),
            (workspace.get("containerRegistry"), role_id("AcrPull")),
            (str(resource_id.parent), role_id("AzureML Metrics Writer (preview)")),
        )
        body = {
            "objectId": principal.object_id,
            "clientId": principal.client_id,
            "assignments": [platform.access.assign(principal, scope, role) for scope, role in grants if scope],
        }
        document = platform.store.put(f"{_IDENTITIES}{resource_id}", _IDENTITIES, body)
    return Principal(document.body["objectId"], document.body["clientId"])


def _essence(identity: Json) -> tuple[str, frozenset[str]]:
    names = identity.get("userAssignedIdentities") or {}
    return identity["type"], frozenset(name.lower() for name in names)
