"""Role definitions, role assignments at a scope, and the caller's permissions."""

from __future__ import annotations

import re
from collections.abc import Iterable

from aiohttp import web

from amlite import SUBSCRIPTION_ID
from amlite.core import directory
from amlite.core.access import ASSIGNMENT_TYPE, DEFINITION_TYPE, ROLES, Role
from amlite.core.errors import AzureError
from amlite.core.published import fields
from amlite.core.resource_id import ResourceId
from amlite.core.routing import ARM_HOST, Call, Routes, reply
from amlite.core.store import Document
from amlite.core.wire import Json

routes = Routes(ARM_HOST)
_AUTHORIZATION = "/{scope:path}/providers/Microsoft.Authorization"
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_FILTER = re.compile(
    r"(?P<at>atScope\(\))|principalId eq '?(?P<principal>[0-9a-f-]+)'?|assignedTo\('(?P<holder>[0-9a-f-]+)'\)",
    re.IGNORECASE,
)
_DEFINITION_FILTER = re.compile(
    r"(?P<field>roleName|type) eq '(?P<value>[^']*)'|atScopeAndBelow\(\)|atScope\(\)", re.IGNORECASE
)
# More than the operations of all services here. Every check of a permission reads the roles of its caller.
_MOST_ACTIONS, _LONGEST_ACTION = 2000, 300
_FIELDS = {"roleName": "str", "permissions": "list:map:any", "assignableScopes": "list:str"}
_PERMISSIONS = dict.fromkeys(("actions", "notActions", "dataActions", "notDataActions"), "list:str")
_DEFINITIONS = f"/subscriptions/{SUBSCRIPTION_ID}/providers/{DEFINITION_TYPE}"


@routes.get(f"{_AUTHORIZATION}/permissions")
async def list_permissions(call: Call) -> web.Response:
    """List the permissions of the caller's roles at a scope, with one entry per role."""
    principal = call.principal
    if principal is None:
        return reply({"value": []})
    return reply({"value": [_permission(role) for role in call.platform.access.roles(principal, _scope(call))]})


@routes.get(f"{_AUTHORIZATION}/roleAssignments")
async def list_assignments(call: Call) -> web.Response:
    """List the role assignments at, above and below a scope, as `$filter` narrows them."""
    scope = f"{_scope(call)}/".lower()
    conditions = {key for key in call.query.get("$filter", "").split(" and ") if key}
    found = [document.body for document in call.platform.store.of_type(ASSIGNMENT_TYPE)]
    found = [body for body in found if _related(scope, f"{body['properties']['scope']}/".lower())]
    for condition in conditions:
        parts = _FILTER.fullmatch(condition.strip())
        if parts is None:
            raise AzureError(400, "UnsupportedQuery", f"The filter '{condition}' is not supported.")
        if parts["at"]:
            found = [body for body in found if scope.startswith(f"{body['properties']['scope']}/".lower())]
        else:
            wanted = {(parts["principal"] or parts["holder"]).lower()}
            if parts["holder"]:  # includes the assignments of its groups
                wanted |= {each.lower() for each in directory.groups_of(call.platform.store, parts["holder"])}
            found = [body for body in found if body["properties"]["principalId"].lower() in wanted]
    return reply({"value": found})


@routes.get(f"{_AUTHORIZATION}/roleDefinitions")
async def list_definitions(call: Call) -> web.Response:
    """List the built-in roles, and the custom ones that can be assigned at a scope, as `$filter` narrows them."""
    scope = _scope(call)
    custom = [
        document.body
        for document in call.platform.store.of_type(DEFINITION_TYPE)
        if _concerns(_places(document), scope)
    ]
    found = [*(_built_in(role) for role in ROLES.values()), *custom]
    for condition in (part.strip() for part in call.query.get("$filter", "").split(" and ") if part.strip()):
        parts = _DEFINITION_FILTER.fullmatch(condition)
        if parts is None:
            raise AzureError(400, "UnsupportedQuery", f"The filter '{condition}' is not supported.")
        if field := {"rolename": "roleName", "type": "type"}.get((parts["field"] or "").lower()):
            found = [body for body in found if body["properties"][field].lower() == parts["value"].lower()]
    return reply({"value": found})


@routes.get(f"{_AUTHORIZATION}/roleDefinitions/{{role}}")
async def get_definition(call: Call) -> web.Response:
    """Describe a built-in role, or a custom one that can be assigned at, above or below a scope."""
    name = call.parameters["role"].lower()
    if name in ROLES:
        return reply(_built_in(ROLES[name]))
    document = call.platform.store.get(f"{_DEFINITIONS}/{name}")
    if document is None or not _concerns(_places(document), _scope(call)):
        raise _unknown(name)
    return reply(document.body)


@routes.put(f"{_AUTHORIZATION}/roleDefinitions/{{role}}")
async def put_definition(call: Call) -> web.Response:
    """Create or change a custom role. Its id is the subscription's, at whatever scope it is created."""
    name, scope, body = call.parameters["role"].lower(), _scope(call), await call.json()
    properties = fields(fields(body, {"properties": "map:any"}).get("properties", {}), _FIELDS)
    if _GUID.fullmatch(name) is None:
        raise AzureError(400, "InvalidRoleDefinitionId", f"The role definition ID '{name}' must be a GUID.")
    missing = [key for key in ("roleName", "permissions", "assignableScopes") if not properties.get(key)]
    if missing:
        raise AzureError(
            400, "InvalidRequestContent", f"The request is missing required properties: {', '.join(missing)}."
        )
    _check_size(properties["permissions"])
    places = [str(place).rstrip("/") for place in properties["assignableScopes"]]
    if not _concerns(places, scope):
        raise AzureError(
            400, "RoleDefinitionScopeMismatch", f"The scope '{scope}' is not one of the role's assignable scopes."
        )
    old = call.platform.store.get(f"{_DEFINITIONS}/{name}")
    _require(call, [*places, *(_places(old) if old is not None else ())], "write")
    if name in ROLES:
        raise AzureError(409, "RoleDefinitionUpdateNotPermitted", "A built-in role cannot be changed.")
    same = str(properties["roleName"]).lower()
    taken = any(role.name.lower() == same for role in ROLES.values()) or any(
        other.body["properties"]["roleName"].lower() == same and other.body["name"] != name
        for other in call.platform.store.of_type(DEFINITION_TYPE)
    )
    if taken:
        raise AzureError(
            409,
            "RoleDefinitionWithSameNameExists",
            f"A custom role with the same name already exists in this directory: '{properties['roleName']}'. Use a "
            "different name.",
        )
    stored: Json = {
        "id": f"{_DEFINITIONS}/{name}",
        "name": name,
        "type": DEFINITION_TYPE,
        "properties": {**properties, "type": "CustomRole", "assignableScopes": places},
    }
    return reply(call.platform.store.put(stored["id"], DEFINITION_TYPE, stored).body, 201)


@routes.delete(f"{_AUTHORIZATION}/roleDefinitions/{{role}}")
async def delete_definition(call: Call) -> web.Response:
    """Delete a custom role without assignments."""
    name = call.parameters["role"].lower()
    document = call.platform.store.get(f"{_DEFINITIONS}/{name}")
    if document is None:
        return web.Response(status=204)
    _require(call, _places(document), "delete")
    if any(_role_of(other) == name for other in call.platform.store.of_type(ASSIGNMENT_TYPE)):
        raise AzureError(
            400,
            "RoleDefinitionHasAssignments",
            f"There are existing role assignments referencing role '{document.body['properties']['roleName']}'.",
        )
    call.platform.store.delete(document.id)
    return reply(document.body)


def _check_size(permissions: list[Json]) -> None:
    """Raise AzureError 400 for a role with more or longer actions than one of Azure could need."""
    actions = [
        action for each in permissions for name in _PERMISSIONS for action in fields(each, _PERMISSIONS).get(name, ())
    ]
    if len(permissions) + len(actions) > _MOST_ACTIONS or any(len(action) > _LONGEST_ACTION for action in actions):
        raise AzureError(
            400,
            "RoleDefinitionTooLarge",
            f"A role has at most {_MOST_ACTIONS} actions of at most {_LONGEST_ACTION} characters in this local Azure.",
        )


def _scope(call: Call) -> str:
    scope = ResourceId.parse(f"/{call.parameters['scope']}")
    if scope is None:
        raise AzureError(400, "InvalidScope", f"'/{call.parameters['scope']}' is not a scope.")
    return str(scope)


def _places(role: Document) -> list[str]:
    found: list[str] = role.body["properties"]["assignableScopes"]
    return found


def _concerns(places: Iterable[str], scope: str) -> bool:
    """Whether a custom role can be assigned at, above or below a scope."""
    return any(_related(f"{scope}/".lower(), f"{place}/".lower()) for place in places)


def _require(call: Call, places: Iterable[str], verb: str) -> None:
    """Raise ARM's 403 unless the caller may change custom roles at all places, where the role may have assignments."""
    for place in places:
        if call.principal is not None:
            call.platform.access.require(call.principal, place, f"{DEFINITION_TYPE}/{verb}")


def _related(one: str, other: str) -> bool:
    """Whether two scopes, each with a slash at its end, are the same or one lies in the other."""
    return one.startswith(other) or other.startswith(one)


def _role_of(assignment: Document) -> str:
    return str(assignment.body["properties"]["roleDefinitionId"]).rpartition("/")[2].lower()


def _permission(role: Role) -> Json:
    return {
        "actions": list(role.actions),
        "notActions": list(role.not_actions),
        "dataActions": list(role.data_actions),
        "notDataActions": list(role.not_data_actions),
    }


def _built_in(role: Role) -> Json:
    return {
        "id": f"{_DEFINITIONS}/{role.id}",
        "name": role.id,
        "type": DEFINITION_TYPE,
        "properties": {
            "roleName": role.name,
            "type": "BuiltInRole",
            "description": role.name,
            "assignableScopes": ["/"],
            "permissions": [_permission(role)],
        },
    }


def _unknown(role: str) -> AzureError:
    return AzureError(
        404, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{role}' does not exist."
    )
