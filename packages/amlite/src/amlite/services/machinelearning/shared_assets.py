"""The registries whose assets a body names: its writer needs the right to read assets there.

Source: "Create and manage registries", which has `registries/assets/read` for those who browse and use assets.
"""

from __future__ import annotations

from collections.abc import Iterator

from amlite.core.access import Principal
from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.machinelearning import curated, references

READ = f"{references.PROVIDER}/registries/assets/read"


def links(platform: Platform, body: Json) -> Iterator[tuple[str, str]]:
    """Yield the registries whose assets a body names, each with the action that its writer needs there.

    Everybody may read a system registry. One that does not exist is left to whoever looks the asset up.
    """
    named = {each.lower().partition("registries/")[2].partition("/")[0] for each in _texts(body)}
    for found in platform.store.of_type(references.REGISTRY_TYPE) if named else ():
        if found.body["name"].lower() in named and not curated.is_system(found):
            yield found.id, READ


def require(platform: Platform, principal: Principal | None, body: Json) -> None:
    """Raise AzureError 403 unless the caller may use the assets of registries that a body names."""
    for registry, action in links(platform, body):
        if principal is not None:
            platform.access.require(principal, registry, action)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        if references.is_in_registry(value):
            yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)
