"""The endpoints in a stack's outputs, by what a command needs of them."""

from __future__ import annotations

from collections.abc import Iterable

from infra.outputs import StackOutputs
from release.errors import ReleaseError


def online(outputs: StackOutputs) -> list[str]:
    """Return the names of the online endpoints."""
    return [name for name, endpoint in outputs.endpoints.items() if endpoint.kind == "online"]


def serving(outputs: StackOutputs, model: str, names: Iterable[str]) -> list[str]:
    """Return the endpoints among `names` that serve promoted versions of a model, without copies."""
    return [name for name in names if outputs.endpoints[name].serves in (model, "*") and not copied(outputs, name)]


def copies(outputs: StackOutputs, model: str) -> list[str]:
    """Return the copies of endpoints that serve promoted versions of a model. They serve published versions."""
    return [name for name, each in outputs.endpoints.items() if each.serves in (model, "*") and copied(outputs, name)]


def original(outputs: StackOutputs, name: str) -> str:
    """Return the endpoint that files define: the one that an endpoint is a copy of, or itself."""
    return copied(outputs, name) or name


def copied(outputs: StackOutputs, name: str) -> str | None:
    """Return the endpoint that one is a copy of, or None if files define it."""
    override = outputs.overrides.endpoints.get(name)
    return override.copy_of if override is not None else None


def chosen(names: Iterable[str], wanted: str, what: str = "endpoint") -> str:
    """Return the name that a user gave.

    Raises:
        ReleaseError: It is not one of `names`.
    """
    known = list(names)
    if wanted not in known:
        raise ReleaseError(f"the stack has no {what} '{wanted}'; it has: {', '.join(known) or 'none'}")
    return wanted
