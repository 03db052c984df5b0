"""Names of endpoints: unique in a region, online and batch ones together, since they are host names."""

from __future__ import annotations

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.services.machinelearning.references import WORKSPACE_TYPE

PATTERN = r"[A-Za-z][A-Za-z0-9-]{2,31}"
RULE = "Names begin with a letter, are 3 to 32 characters long and consist of letters, digits and hyphens."
_TYPES = (f"{WORKSPACE_TYPE}/onlineEndpoints", f"{WORKSPACE_TYPE}/batchEndpoints")


def check_unique(platform: Platform, resource_id: ResourceId, region: str) -> None:
    """Raise Azure's 409 when the region has an endpoint of the name."""
    for kind in _TYPES:
        for other in platform.store.of_type(kind):
            if other.body["name"].lower() == resource_id.name.lower() and other.body["location"] == region:
                raise AzureError(
                    409,
                    "Conflict",
                    f"There is already an endpoint with the name '{resource_id.name}' in region {region}; "
                    "names are unique there.",
                )
