from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.processes import Children
from amlite.core.store import Store
from amlite.services.jobs import cluster

ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/computes/c"


def platform(state: Path, least: int, most: int) -> Platform:
    made = Platform(state, Store(state / "amlite.db"), Children(state))
    scale = {"minNodeCount": least, "maxNodeCount": most, "nodeIdleTimeBeforeScaleDown": "PT60S"}
    properties = {"computeType": "AmlCompute", "properties": {"scaleSettings": scale}}
    made.store.put(ID, "Microsoft.MachineLearningServices/workspaces/computes", {"name": "c", "properties": properties})
    return made


def counts(made: Platform) -> tuple[int, int, int]:
    document = made.store.get(ID)
    assert document is not None
    state: dict[str, Any] = document.body["properties"]["properties"]
    nodes = state["nodeStateCounts"]
    return state["currentNodeCount"], nodes["runningNodeCount"], nodes["idleNodeCount"]


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_nodes_come_with_jobs_and_go_when_they_were_idle(tmp_path: Path) -> None:
    async def scenario() -> None:
        made = platform(tmp_path, 0, 2)
        async with cluster.nodes(made, ID, 1), cluster.nodes(made, ID, 1):
            assert counts(made) == (2, 2, 0)
            held = cluster.nodes(made, ID, 1)
            third = asyncio.create_task(held.__aenter__())
            await settle()
            assert not third.done()
        await settle()
        assert third.done()
        assert counts(made) == (2, 1, 1)
        made.clock.advance(61)
        await settle()
        assert counts(made) == (1, 1, 0)
        await held.__aexit__(None, None, None)
        await settle()
        made.store.close()

    asyncio.run(scenario())


def test_the_smallest_number_of_nodes_stays(tmp_path: Path) -> None:
    made = platform(tmp_path, 1, 2)
    asyncio.run(cluster.release_all(made))
    assert counts(made) == (1, 0, 1)
    made.store.close()


def test_a_compute_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    async def scenario() -> None:
        made = platform(tmp_path, 0, 1)
        made.store.delete(ID)
        with pytest.raises(AzureError, match="Compute 'c' was deleted"):
            await cluster.nodes(made, ID, 1).__aenter__()
        made.store.close()

    asyncio.run(scenario())
