"""Role assignments as ARM keeps them, on any scope."""

from __future__ import annotations

import uuid

from amlite import TENANT_ID
from amlite.core import directory
from amlite.core.access import ASSIGNMENT_TYPE, is_below
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.wire import Json

# Of the subscription. Source: "Azure RBAC limits".
_MOST_ASSIGNMENTS = 4000
_GUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


def _prepare(platform: Platform, id: ResourceId, body: Json, old: Json | None) -> Json:
    properties = body["properties"]
    if not all(isinstance(properties[key], str) for key in ("roleDefinitionId", "principalId")):
        raise AzureError(400, "InvalidRequestContent", "'roleDefinitionId' and 'principalId' must be strings.")
    if properties.get("condition"):
        raise AzureError(
            400, "InvalidRequestContent", "'condition': this local Azure has no conditions on role assignments."
        )
    role = properties["roleDefinitionId"].rpartition("/")[2].lower()
    if platform.access.definition(role) is None:
        raise AzureError(
            400, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{role}' does not exist."
        )
    scope = str(id.scope) if id.scope else id.group_path
    places = platform.access.assignable(role)
    if not any(is_below(scope, place.rstrip("/")) for place in places):
        # Whoever may write the role there could change it for other places too.
        raise AzureError(
            400,
            "RoleAssignmentScopeNotAssignableToRoleDefinition",
            f"The role assignment scope '{scope}' is not one of the assignable scopes of the role definition '{role}': "
            f"{', '.join(places)}.",
        )
    wanted = (properties["principalId"].lower(), role, scope.lower())
    others = list(platform.store.of_type(ASSIGNMENT_TYPE))
    if old is None and len(others) >= _MOST_ASSIGNMENTS:
        raise AzureError(
            400, "RoleAssignmentLimitExceeded", "No more role assignments can be created; their number is at its limit."
        )
    for other in others:
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
    if old is None:
        properties = {**properties, "principalType": _principal_type(platform, properties)}
        platform.access.assigned(str(id))
    return {**body, "properties": {**properties, "scope": scope}}


def _principal_type(platform: Platform, properties: Json) -> str:
    """Return the principal's type. AzureError 400 for a different type, and for an unknown principal without a type.

    For a principal that the directory does not have, the given type is accepted, because a new one may not be
    replicated yet. This is the reason to set it in Microsoft's documentation.
    """
    principal, given = properties["principalId"], properties.get("principalType")
    kind = directory.kind_of(platform.store, principal)
    if kind is None and given is None:
        raise AzureError(
            400,
            "PrincipalNotFound",
            f"Principal {_hex(principal)} does not exist in the directory {TENANT_ID}. Check that you have the correct "
            "principal ID. If you are creating this principal and then immediately assigning a role, this error might "
            "be related to a replication delay. In this case, set the role assignment principalType property to a "
            "value, such as ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype",
        )
    if kind is not None and given is not None and str(given).lower() != kind.value.lower():
        raise AzureError(
            400,
            "UnmatchedPrincipalType",
            # The spelling is Azure's.
            f"The PrincipalId '{_hex(principal)}' has type '{kind.value}' , which is different from specified "
            f"PrinciaplType '{given}'.",
        )
    return kind.value if kind is not None else str(given)


def _hex(principal: str) -> str:
    """Return an object id as Azure writes it in these messages: without hyphens."""
    try:
        return uuid.UUID(principal).hex
    except ValueError:
        return principal


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
