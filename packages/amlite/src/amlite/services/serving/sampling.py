"""CPU and memory of the model servers of managed deployments, sampled for Azure Monitor.

A server stands for all instances of its deployment. Their capacity is that of the deployment's VM size, as far as this
machine has it.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field

import psutil

from amlite.core.platform import Platform, isolated
from amlite.core.wire import Json
from amlite.services.environments.usage import Usage
from amlite.services.machinelearning import sizes
from amlite.services.monitoring import gauges, utilization
from amlite.services.serving import servers, settings
from amlite.services.serving.starting import Server

_PERIOD_SECONDS = 15.0
# A shorter time between two samples says little about the CPU, whose time the kernel counts in hundredths of a second.
_SHORTEST_SECONDS = 0.5
_GIGABYTE = 2**30


@dataclass
class _Earlier:
    """The last sample of each server: when, in seconds, and what it used."""

    samples: dict[str, tuple[float, Usage]] = field(default_factory=dict)


async def start(platform: Platform) -> None:
    """Start to sample the model servers. This continues as long as amlite runs."""
    platform.background(_run(platform), "sampling model servers")


async def _run(platform: Platform) -> None:
    while True:
        await platform.clock.sleep(_PERIOD_SECONDS)
        with isolated("sampling"):
            await sample(platform)


async def sample(platform: Platform) -> None:
    """Sample every running server once. Its CPU utilization is that since the sample before."""
    earlier = platform.part(_Earlier)
    running = servers.running(platform)
    names = {server.launch.name for server in running.values()}
    earlier.samples = {name: each for name, each in earlier.samples.items() if name in names}
    for resource_id, server in running.items():
        document = platform.store.get(resource_id)
        if document is None or document.body["properties"]["endpointComputeType"].lower() != "managed":
            continue
        values = await _values(server, document.body, earlier)
        if values:
            utilization.record(platform, resource_id, server.launch.name, values)


async def _values(server: Server, deployment: Json, earlier: _Earlier) -> dict[str, float]:
    name, now = server.launch.name, time.monotonic()
    before = earlier.samples.get(name)
    if before is not None and now - before[0] < _SHORTEST_SECONDS:
        return {}
    usage = await server.environment.usage(name, server.child.process.pid)
    if usage is None:
        return {}
    earlier.samples[name] = (now, usage)
    cores, memory = _capacity(deployment)
    values = {gauges.MEMORY.name: _percent(usage.memory, memory)}
    if before is not None:
        values[gauges.CPU.name] = _percent(usage.cpu_seconds - before[1].cpu_seconds, (now - before[0]) * cores)
    return values


def _capacity(deployment: Json) -> tuple[float, float]:
    """Return the cores and the bytes of memory of a deployment's instances."""
    size, count = sizes.find(deployment["properties"]["instanceType"]), settings.instances(deployment)
    cores, memory = float(os.cpu_count() or 1), float(psutil.virtual_memory().total)
    if size is None:
        return cores, memory
    return min(cores, size.cores * count), min(memory, size.memory * count * _GIGABYTE)


def _percent(used: float, whole: float) -> float:
    return max(0.0, min(100.0, 100 * used / whole))
