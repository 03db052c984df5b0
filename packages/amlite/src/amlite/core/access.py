"""Access control: principals, roles and the check that every authenticated request passes.

The roles in `roles.json` are Azure's built-in ones with their ids, actions and data actions. The store has custom ones.
"""

from __future__ import annotations

import contextlib
import contextvars
import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from amlite import SUBSCRIPTION_ID
from amlite.core.clock import Clock
from amlite.core.directory import groups_of
from amlite.core.errors import AzureError
from amlite.core.store import Document, Store
from amlite.core.wire import Json

ASSIGNMENT_TYPE = "Microsoft.Authorization/roleAssignments"
DEFINITION_TYPE = "Microsoft.Authorization/roleDefinitions"
_DEFINITIONS = f"/subscriptions/{SUBSCRIPTION_ID}/providers/{DEFINITION_TYPE}"
_delay: contextvars.ContextVar[float] = contextvars.ContextVar("role_delay", default=0.0)


@dataclass(frozen=True)
class Principal:
    """The subject of a token: the object id that roles are assigned to, and the application's (client) id.

    A job's own token is valid below one resource only, the `scope`. Its `root` is the job at the top of the job's tree.
    """

    object_id: str
    client_id: str
    scope: str = ""
    root: str = ""


@dataclass(frozen=True)
class Role:
    """A role definition."""

    id: str
    name: str
    actions: Sequence[str] = ()
    not_actions: Sequence[str] = ()
    data_actions: Sequence[str] = ()
    not_data_actions: Sequence[str] = ()

    def permits(self, action: str, *, data: bool) -> bool:
        """Whether the role grants an action (control plane) or data action."""
        if data:
            return _any(self.data_actions, action) and not _any(self.not_data_actions, action)
        return _any(self.actions, action) and not _any(self.not_actions, action)


def _read() -> dict[str, Role]:
    rows: list[Json] = json.loads(Path(__file__).with_name("roles.json").read_text("utf-8"))
    return {row["id"]: Role(**row) for row in rows}


ROLES = _read()
"""The built-in roles by their ids."""


def role_id(name: str) -> str:
    """Return the id of a built-in role."""
    return next(role.id for role in ROLES.values() if role.name == name)


@contextlib.contextmanager
def delayed(seconds: float) -> Iterator[None]:
    """Let the role assignments that are made within take effect only after `seconds` on amlite's clock."""
    token = _delay.set(seconds)
    try:
        yield
    finally:
        _delay.reset(token)


class Access:
    """The role assignments in the store, and what they permit."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Read assignments from `store` at every check, so that a change holds at once."""
        self._store = store
        self._clock = clock
        self._effective: dict[str, float] = {}

    def assign(self, principal: Principal, scope: str, role: str) -> str:
        """Assign a built-in role (its id) at a scope, as Azure itself does, and return the assignment's id."""
        return grant(self._store, principal, scope, role)

    def assigned(self, id: str) -> None:
        """Note that an assignment was just made: `delayed` may hold back its effect."""
        if (seconds := _delay.get()) > 0:
            self._effective[id.lower()] = self._clock.timestamp() + seconds

    def definition(self, role: str) -> Role | None:
        """Return a built-in or custom role by its id, a GUID; None if there is none."""
        if role in ROLES:
            return ROLES[role]
        document = self._store.get(f"{_DEFINITIONS}/{role}")
        return _custom(document) if document else None

    def assignable(self, role: str) -> list[str]:
        """Return the scopes at and below which a role can be assigned: for a built-in one, everywhere."""
        document = self._store.get(f"{_DEFINITIONS}/{role}")
        if role in ROLES or document is None:
            return ["/"]
        return [str(place) for place in document.body["properties"]["assignableScopes"]]

    def allowed(self, principal: Principal, scope: str, action: str, *, data: bool = False) -> bool:
        """Whether a role assigned to the principal at `scope` or above grants the action."""
        return any(role.permits(action, data=data) for role in self.roles(principal, scope))

    def roles(self, principal: Principal, scope: str) -> Iterator[Role]:
        """Yield the roles of a principal and its groups that are in effect at a scope: assigned there or above.

        A token that is valid below one resource only has no role elsewhere.
        """
        if principal.scope and not is_below(scope, principal.scope):
            return
        holders = {each.lower() for each in (principal.object_id, *groups_of(self._store, principal.object_id))}
        wanted = scope.lower().rstrip("/") + "/"
        now = self._clock.timestamp()
        for document in self._store.of_type(ASSIGNMENT_TYPE):
            assignment = document.body["properties"]
            if assignment["principalId"].lower() not in holders:
                continue
            if not wanted.startswith(assignment["scope"].lower().rstrip("/") + "/"):
                continue
            if self._effective.get(document.id.lower(), 0.0) > now:
                continue
            role = self.definition(assignment["roleDefinitionId"].rpartition("/")[2].lower())
            if role is not None:
                yield role

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


def is_below(path: str, scope: str) -> bool:
    """Whether a resource is the one at `scope`, or below it."""
    return f"{path}/".lower().startswith(f"{scope}/".lower())


def grant(store: Store, principal: Principal, scope: str, role: str) -> str:
    """Store the assignment of a built-in role (its id) at a scope; return the assignment's id."""
    name = str(uuid.uuid4())
    id = f"{scope}/providers/{ASSIGNMENT_TYPE}/{name}"
    properties = {
        "principalId": principal.object_id,
        "principalType": "ServicePrincipal",
        "roleDefinitionId": f"{_DEFINITIONS}/{role}",
        "scope": scope,
    }
    body = {"id": id, "name": name, "type": ASSIGNMENT_TYPE, "properties": properties}
    store.put(id, ASSIGNMENT_TYPE, body)
    return id


def _custom(document: Document) -> Role:
    properties = document.body["properties"]

    def listed(key: str) -> list[str]:
        return [action for permission in properties["permissions"] for action in permission.get(key) or []]

    return Role(
        document.body["name"],
        properties["roleName"],
        listed("actions"),
        listed("notActions"),
        listed("dataActions"),
        listed("notDataActions"),
    )


def _any(patterns: Sequence[str], action: str) -> bool:
    """Whether a pattern matches an action. A `/*/` inside also matches nothing.

    The role Managed Identity Operator has `userAssignedIdentities/*/assign/action`, and Azure asks for the action
    `userAssignedIdentities/assign/action`.
    """
    wanted = action.lower()
    lowered = [pattern.lower() for pattern in patterns]
    return any(_matches(form, wanted) or _matches(form.replace("/*/", "/"), wanted) for form in lowered)


def _matches(pattern: str, action: str) -> bool:
    """Whether an action has the form of a pattern, in which `*` stands for any text.

    A custom role may have thousands of patterns, each of which a regular expression would compile at each check.
    """
    first, *others = pattern.split("*")
    if not others:
        return first == action
    *inner, last = others
    place, end = len(first), len(action) - len(last)
    if place > end or not action.startswith(first) or not action.endswith(last):
        return False
    for part in inner:
        found = action.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True
