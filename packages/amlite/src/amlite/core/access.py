"""Access control: principals, built-in roles and the check that every authenticated request passes.

The roles, `roles.json`, are Azure's built-in ones with their ids, actions and data actions.
"""

from __future__ import annotations

import fnmatch
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from amlite import SUBSCRIPTION_ID
from amlite.core.errors import AzureError
from amlite.core.store import Store
from amlite.core.wire import Json

ASSIGNMENT_TYPE = "Microsoft.Authorization/roleAssignments"
_DEFINITIONS = f"/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.Authorization/roleDefinitions"


@dataclass(frozen=True)
class Principal:
    """The subject of a token: the object id that roles are assigned to, and the application's (client) id."""

    object_id: str
    client_id: str


@dataclass(frozen=True)
class Role:
    """A built-in role definition."""

    id: str
    name: str
    actions: Sequence[str] = ()
    not_actions: Sequence[str] = ()
    data_actions: Sequence[str] = ()

    def permits(self, action: str, *, data: bool) -> bool:
        """Whether the role grants an action (control plane) or data action."""
        if data:
            return _any(self.data_actions, action)
        return _any(self.actions, action) and not _any(self.not_actions, action)


def _read() -> dict[str, Role]:
    rows: list[Json] = json.loads(Path(__file__).with_name("roles.json").read_text("utf-8"))
    return {row["id"]: Role(**row) for row in rows}


ROLES = _read()
"""The built-in roles by their ids."""


def role_id(name: str) -> str:
    """Return the id of a built-in role."""
    return next(role.id for role in ROLES.values() if role.name == name)


class Access:
    """The role assignments in the store, and what they permit."""

    def __init__(self, store: Store) -> None:
        """Read assignments from `store` at every check, so that a change holds at once."""
        self._store = store

    def assign(self, principal: Principal, scope: str, role: str) -> str:
        """Assign a built-in role (its id) at a scope, as Azure itself does, and return the assignment's id."""
        name = str(uuid.uuid4())
        id = f"{scope}/providers/{ASSIGNMENT_TYPE}/{name}"
        properties = {
            "principalId": principal.object_id,
            "principalType": "ServicePrincipal",
            "roleDefinitionId": f"{_DEFINITIONS}/{role}",
            "scope": scope,
        }
        body = {"id": id, "name": name, "type": ASSIGNMENT_TYPE, "properties": properties}
        self._store.put(id, ASSIGNMENT_TYPE, body)
        return id

    def allowed(self, principal: Principal, scope: str, action: str, *, data: bool = False) -> bool:
        """Whether a role assigned to the principal at `scope` or above grants the action."""
        wanted = scope.lower().rstrip("/") + "/"
        for document in self._store.of_type(ASSIGNMENT_TYPE):
            assignment = document.body["properties"]
            if assignment["principalId"].lower() != principal.object_id.lower():
                continue
            if not wanted.startswith(assignment["scope"].lower().rstrip("/") + "/"):
                continue
            role = ROLES.get(assignment["roleDefinitionId"].rpartition("/")[2].lower())
            if role is not None and role.permits(action, data=data):
                return True
        return False

    def require(self, principal: Principal, scope: str, action: str, *, data: bool = False) -> None:
        """Raise Azure's 403 `AuthorizationFailed` unless `allowed`."""
        if not self.allowed(principal, scope, action, data=data):
            raise AzureError(
                403,
                "AuthorizationFailed",
                f"The client '{principal.client_id}' with object id '{principal.object_id}' does not have "
                f"authorization to perform action '{action}' over scope '{scope}' or the scope is invalid. If access "
                "was recently granted, please refresh your credentials.",
            )


def _any(patterns: Sequence[str], action: str) -> bool:
    return any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)
