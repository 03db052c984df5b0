"""The addresses of a registry, in Resource Manager and in the data plane of its region."""

from __future__ import annotations

from amlite.core.errors import AzureError
from amlite.core.routing import Call
from amlite.core.store import Document
from amlite.services.machinelearning import curated, references
from amlite.services.machinelearning.references import PROVIDER
from amlite.services.registries import access

REGISTRY = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{PROVIDER}/registries/{{registry}}"


def registry_of(call: Call) -> Document:
    """Return the registry in a call's path. Raises AzureError 404."""
    found = references.registry(call.platform, call.parameters["registry"])
    if not (call.resource_path or "").lower().startswith(f"{found.id.lower()}/"):
        raise AzureError(404, "ResourceNotFound", f"The registry '{found.body['name']}' is not in this resource group.")
    return found


def readable_registry(call: Call) -> Document:
    """Return the registry whose assets the caller may read. Everybody may read those of a system registry."""
    found = registry_of(call)
    if call.principal is not None and not curated.is_system(found):
        call.platform.access.require(call.principal, call.resource_path or found.id, access.READ)
    return found
