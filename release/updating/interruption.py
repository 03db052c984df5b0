"""What an interrupted update left in the state: resources that it was changing, or had begun to create."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from infra import azure_names
from release.engine import OnEvent
from release.errors import ReleaseError
from release.stack import PulumiStack

_CHANGING = ("updating", "deleting")
_CREATING = "creating"
# The provisioning states of a resource that Azure still works on, and of one that a later update repairs.
_UNFINISHED = frozenset({"accepted", "creating", "inprogress", "provisioning", "running", "updating"})
_BROKEN = frozenset({"failed", "canceled"})
_POLL_SECONDS = 5.0
_LONGEST_SECONDS = 3600.0
_AUTHORIZATION = "providers/Microsoft.Authorization"
_PENDING = "pending_operations"


class Interruption(NamedTuple):
    """What an interrupted update was working on, as URNs: what it changed or deleted, and what it began to create.

    The state of what it changed may be out of date. What it began to create is not in the state, and may exist.
    """

    changing: list[str]
    creating: list[str]


def interruption(stack: PulumiStack) -> Interruption:
    """Return what an interrupted update was working on. The lists are empty if no update was interrupted."""
    pending = stack.state().get(_PENDING) or []
    return Interruption(
        [each["resource"]["urn"] for each in pending if each["type"] in _CHANGING],
        list(dict.fromkeys(each["resource"]["urn"] for each in pending if each["type"] == _CREATING)),
    )


def own(stack: PulumiStack, ids: Mapping[str, str]) -> dict[str, str]:
    """Return those of the resources in Azure, by URN, that have the tags of the stack.

    An update began to create them, and its provider ended before Azure had answered. The engine then forgets them.
    """
    wanted = stack.tags().items()
    groups = {"/".join(id.split("/")[:5]) for id in ids.values()}
    tags = {id: found for group in groups for id, found in azure_names.tags_in(group).items()}
    return {urn: id for urn, id in ids.items() if wanted <= tags.get(id.lower(), {}).items()}


def take_over(
    stack: PulumiStack, ids: Mapping[str, str], wanted: Mapping[str, Mapping[str, Any]], on_event: OnEvent
) -> None:
    """Put resources that an interrupted update had begun to create into the state, as Azure has them.

    Waits until Azure has finished with them. The next update repairs those that failed.

    Args:
        stack: The stack.
        ids: The resources' ids by URN.
        wanted: What the update wanted to create, by URN, for resources that the state does not have as begun.
        on_event: Takes the engine's events.

    Raises:
        ReleaseError: Azure has not finished with one of them after an hour.
    """
    with stack.edited_state(on_event) as state:
        begun = {**wanted, **{each["resource"]["urn"]: each["resource"] for each in _pending_creates(state)}}
        _drop_pending_creates(state, ids)
        state.setdefault("resources", []).extend({**begun[urn], "id": id} for urn, id in ids.items())
    deadline = time.monotonic() + _LONGEST_SECONDS
    stack.refresh(list(ids), on_event)
    while unfinished := _in_state(stack, ids, _UNFINISHED):
        if time.monotonic() > deadline:
            raise ReleaseError(f"Azure has not finished the creation of {names(unfinished)} after an hour")
        time.sleep(_POLL_SECONDS)
        stack.refresh(unfinished, on_event)
    broken = _in_state(stack, ids, _BROKEN)
    if broken:
        with stack.edited_state(on_event) as state:
            for each in state["resources"]:
                if each["urn"] in broken:
                    # The engine updates such a resource even if its inputs are the same.
                    each["initErrors"] = ["its creation was interrupted, and failed in Azure"]


def outside_ids(stack: PulumiStack) -> dict[str, str]:
    """Return what an interrupted update had begun to create outside of a resource group: the ids by URN.

    A deletion of the stack deletes everything else with the resource group.
    """
    subscription = f"/subscriptions/{stack.subscription()}"
    state = stack.state()
    known = {each["urn"] for each in state.get("resources") or []}
    begun = [each["resource"] for each in _pending_creates(state) if each["resource"]["urn"] not in known]
    return {each["urn"]: found for each in begun if (found := _outside_id(each, subscription)) is not None}


def _outside_id(resource: Mapping[str, Any], subscription: str) -> str | None:
    inputs = resource.get("inputs") or {}
    match resource["type"]:
        case "azure-native:resources:ResourceGroup":
            return f"{subscription}/resourceGroups/{inputs['resourceGroupName']}"
        case "azure-native:authorization:RoleAssignment":
            return f"{inputs['scope']}/{_AUTHORIZATION}/roleAssignments/{inputs['roleAssignmentName']}"
        case "azure-native:authorization:RoleDefinition":
            return f"{inputs['scope']}/{_AUTHORIZATION}/roleDefinitions/{inputs['roleDefinitionId']}"
        case _:
            return None


def forget(stack: PulumiStack, on_event: OnEvent) -> None:
    """Remove from the state what an interrupted update had begun to create, after a later update has created it."""
    with stack.edited_state(on_event) as state:
        _drop_pending_creates(state, [each["resource"]["urn"] for each in _pending_creates(state)])


def names(urns: Iterable[str]) -> str:
    """Return the names of resources, for a message."""
    return ", ".join(urn.rpartition("::")[2] for urn in urns)


def _in_state(stack: PulumiStack, urns: Collection[str], states: Collection[str]) -> list[str]:
    """Return the resources that have one of these provisioning states. Some types of resources have none."""
    found = {each["urn"]: each.get("outputs") or {} for each in stack.resources() if each["urn"] in urns}
    return [urn for urn, outputs in found.items() if str(outputs.get("provisioningState")).lower() in states]


def _pending_creates(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [each for each in state.get(_PENDING) or [] if each["type"] == _CREATING]


def _drop_pending_creates(state: dict[str, Any], urns: Collection[str]) -> None:
    dropped = [each for each in _pending_creates(state) if each["resource"]["urn"] in urns]
    state[_PENDING] = [each for each in state.get(_PENDING) or [] if each not in dropped]
