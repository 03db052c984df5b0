"""Role assignments as ARM keeps them, on any scope."""

from __future__ import annotations

from amlite.core.access import ASSIGNMENT_TYPE, ROLES
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.wire import Json

_GUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


def _prepare(platform: Platform, id: ResourceId, body: Json, old: Json | None) -> Json:
    properties = body["properties"]
    if not all(isinstance(properties[key], str) for key in ("roleDefinitionId", "principalId")):
        raise AzureError(400, "InvalidRequestContent", "'roleDefinitionId' and 'principalId' must be strings.")
    role = properties["roleDefinitionId"].rpartition("/")[2].lower()
    if role not in ROLES:
        raise AzureError(
            400, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{role}' does not exist."
        )
    scope = str(id.scope) if id.scope else id.group_path
    wanted = (properties["principalId"].lower(), role, scope.lower())
    for other in platform.store.of_type(ASSIGNMENT_TYPE):
        there = other.body["properties"]
        same = (
            there["principalId"].lower(),
            there["roleDefinitionId"].rpartition("/")[2].lower(),
            there["scope"].lower(),
        )
        if same == wanted and other.id.lower() != str(id).lower():
            raise AzureError(409, "RoleAssignmentExists", "The role assignment already exists.")
    if old and old["properties"]["principalId"].lower() != properties["principalId"].lower():
        raise AzureError(
            400,
            "RoleAssignmentUpdateNotPermitted",
            "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
        )
    return {**body, "properties": {**properties, "scope": scope}}


TYPES = [
    ResourceType(
        ASSIGNMENT_TYPE,
        pattern=_GUID,
        rule="The role assignment ID must be a GUID.",
        located=False,
        required=("properties.roleDefinitionId", "properties.principalId"),
        prepare=_prepare,
    )
]
