"""The nodes of a compute. They limit the number of concurrent jobs, and the compute's status shows them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.services.jobs import plan
from amlite.services.machinelearning import instances
from amlite.services.machinelearning.references import COMPUTE_TYPE

_DEFAULT_IDLE = "PT120S"
_OTHER_STATES = ("preparingNodeCount", "unusableNodeCount", "leavingNodeCount", "preemptedNodeCount")


@dataclass
class Nodes:
    """The nodes of one compute: `busy` run jobs, each of `idle` waits for a job or for its idle time to pass."""

    busy: int = 0
    idle: list[asyncio.Task[None]] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)


@dataclass
class Clusters:
    """The nodes of every compute, by its id in lower case."""

    nodes: dict[str, Nodes] = field(default_factory=dict)


@contextlib.asynccontextmanager
async def nodes(platform: Platform, compute_id: str | None, count: int) -> AsyncIterator[None]:
    """Use `count` nodes of a compute (serverless if None) when they are free. AzureError if it no longer exists."""
    if compute_id is None:
        yield
        return
    held = _of(platform, compute_id)
    await instances.until_running(platform, compute_id)
    async with held.changed:
        await held.changed.wait_for(lambda: held.busy + count <= _most(platform, compute_id))
        held.busy += count
    for timer in held.idle[:count]:
        timer.cancel()
    del held.idle[:count]
    _show(platform, compute_id, held)
    try:
        with instances.working(platform, compute_id):
            yield
    finally:
        held.busy -= count
        held.idle += [asyncio.create_task(_leave(platform, compute_id, held)) for _ in range(count)]
        _show(platform, compute_id, held)
        async with held.changed:
            held.changed.notify_all()


async def release_all(platform: Platform) -> None:
    """Record that no node runs a job: the entries of an earlier process are no longer valid."""
    for document in list(platform.store.of_type(COMPUTE_TYPE)):
        _show(platform, document.id, Nodes())


async def _leave(platform: Platform, compute_id: str, held: Nodes) -> None:
    """Remove a node after the idle time in the cluster's settings."""
    document = platform.store.get(compute_id)
    if document is None:
        return
    settings = (document.body["properties"].get("properties") or {}).get("scaleSettings") or {}
    await platform.clock.sleep(plan.seconds(settings.get("nodeIdleTimeBeforeScaleDown") or _DEFAULT_IDLE))
    held.idle = [timer for timer in held.idle if timer is not asyncio.current_task()]
    _show(platform, compute_id, held)


def _of(platform: Platform, compute_id: str) -> Nodes:
    return platform.part(Clusters).nodes.setdefault(compute_id.lower(), Nodes())


def _most(platform: Platform, compute_id: str) -> int:
    document = platform.store.get(compute_id)
    if document is None:
        raise AzureError(404, "ComputeNotFound", f"Compute '{compute_id.rpartition('/')[2]}' was deleted.")
    is_instance = instances.is_instance(document.body)
    return instances.most_jobs(document.body) if is_instance else plan.most_nodes(document.body)


def _show(platform: Platform, compute_id: str, held: Nodes) -> None:
    """Write the node counts that the service reports into the compute."""
    document = platform.store.get(compute_id)
    if document is None or document.body["properties"].get("computeType") != "AmlCompute":
        return
    inner = document.body["properties"].setdefault("properties", {})
    least = int((inner.get("scaleSettings") or {}).get("minNodeCount") or 0)
    idle = max(len(held.idle), least - held.busy)
    total = held.busy + idle
    inner |= {
        "currentNodeCount": total,
        "targetNodeCount": total,
        "allocationState": "Steady",
        "nodeStateCounts": {
            "idleNodeCount": idle,
            "runningNodeCount": held.busy,
            **dict.fromkeys(_OTHER_STATES, 0),
        },
    }
    platform.store.put(document.id, document.type, document.body)
