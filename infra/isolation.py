"""The check of a changed network isolation: Azure refuses some changes, and a preview must refuse them too.

Source: Microsoft's "Workspace managed virtual network isolation" (how-to-managed-network).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi

from infra import NAMESPACE
from infra.settings.network import Isolation
from pulumi_azureml.operations import arm

_STRICTER = tuple(Isolation)
_VERSION = "2024-10-01"
_KEY = f"{NAMESPACE}:network.isolation"


def hook(name: str) -> pulumi.ResourceHook:
    """Return a hook that refuses an update of a workspace (its resource name), in previews too."""
    return pulumi.ResourceHook(f"{name}-isolation", check, pulumi.ResourceHookOptions(on_dry_run=True))


async def check(hooked: pulumi.ResourceHookArgs) -> None:
    """Ask Azure for compute and endpoints if the update isolates the workspace.

    Raises:
        RuntimeError: Azure would refuse the change of the isolation.
    """
    before, after = _mode(hooked.old_inputs), _mode(hooked.new_inputs)
    if _STRICTER.index(after) < _STRICTER.index(before):
        raise RuntimeError(
            f"{_KEY} is {after}, and the workspace has {before}. Azure does not make isolation less strict.\n"
            f"      fix: set {_KEY} to {before}, or bring up a new stack (docs/network/README.md)"
        )
    if before is not Isolation.DISABLED or after is Isolation.DISABLED:
        return
    import pulumi_azureml.operations.sdk  # noqa: F401 - before a thread imports it beside this one

    in_the_way = await asyncio.to_thread(lambda: dict(_managed(hooked.id)))
    if in_the_way:
        raise RuntimeError(
            f"{_KEY} is {after}, and Azure isolates only a workspace without managed compute and online endpoints. "
            f"This workspace has: {', '.join(in_the_way.values())}.\n"
            "      fix: bring up a new stack and promote the models (docs/environments.md), or delete these resources, "
            f"which interrupts callers, and create them again:\n"
            f"        az resource delete --ids {' '.join(in_the_way)}\n"
            "        pulumi up --refresh"
        )


def _mode(inputs: Mapping[str, Any] | None) -> Isolation:
    network = (inputs or {}).get("managedNetwork") or {}
    return Isolation(network.get("isolationMode") or Isolation.DISABLED)


def _managed(workspace: str) -> Iterator[tuple[str, str]]:
    """Yield the resource id and the words for each resource that is in the way of isolation."""
    for each in arm.pages(f"{workspace}/computes", _VERSION):
        if not each["properties"].get("isAttachedCompute"):
            yield each["id"], f"compute {each['name']}"
    for each in arm.pages(f"{workspace}/onlineEndpoints", _VERSION):
        if not each["properties"].get("compute"):
            yield each["id"], f"online endpoint {each['name']}"
