"""The model servers. They start with their deployment, restart when needed, and end when it is deleted."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from amlite.core.errors import AzureError, StartError
from amlite.core.platform import Platform
from amlite.core.processes import tail
from amlite.core.wire import Json
from amlite.services.machinelearning.endpoints import ONLINE_TYPE
from amlite.services.serving import collector, settings, templates
from amlite.services.serving.collecting import Agent
from amlite.services.serving.launch import Launch, gather, launched_from
from amlite.services.serving.settings import Probe
from amlite.services.serving.starting import Server, lives, start

ENDPOINT_TYPE = ONLINE_TYPE
DEPLOYMENT_TYPE = f"{ENDPOINT_TYPE}/deployments"
_LAUNCHES = "serving/launches"
_LOGS = "serving/logs"
_ENDING_SECONDS = 5.0


@dataclass
class _Servers:
    """The running servers and their locks, by lower-case deployment resource_id."""

    running: dict[str, Server] = field(default_factory=dict)
    locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    def lock(self, resource_id: str) -> asyncio.Lock:
        return self.locks.setdefault(resource_id.lower(), asyncio.Lock())


async def provision(platform: Platform, resource_id: str) -> None:
    """Start the server of a created or changed deployment. The previous server ends when its requests have ended.

    A change that does not affect the server (tags, request limits) does not restart it.
    Raises AzureError with Azure's error code and, if the server did not start, the end of its log.
    """
    servers = platform.part(_Servers)
    async with servers.lock(resource_id):
        deployment, endpoint = platform.store.get(resource_id), platform.store.get(resource_id.rsplit("/", 2)[0])
        if deployment is None or endpoint is None:
            raise AzureError(409, "OperationCanceled", "The deployment was deleted while it was being created.")
        wanted = templates.applied(platform, deployment.body)
        content, kept = launched_from(wanted), platform.store.get(f"{_LAUNCHES}{resource_id}")
        running = servers.running.get(resource_id.lower())
        if kept is not None and kept.body["content"] == content and running is not None and running.child.running:
            return
        preparation = preparation_log(platform, resource_id)
        preparation.unlink(missing_ok=True)
        platform.store.put(f"{_LOGS}{resource_id}", _LOGS, {"preparation": str(preparation), "server": None})
        launch = await gather(platform, endpoint.body, wanted, lambda line: _write(preparation, line))
        log = platform.state / "logs" / f"{launch.name}.log"
        platform.store.put(f"{_LOGS}{resource_id}", _LOGS, {"preparation": str(preparation), "server": str(log)})
        try:
            await _start(platform, resource_id, launch)
        except BaseException:
            await launch.discard(platform)
            raise
        platform.store.put(f"{_LAUNCHES}{resource_id}", _LAUNCHES, {"content": content, "launch": launch.json()})
    if running is not None:
        await _end(platform, running)
    elif kept is not None:
        await Launch.stored(kept.body["launch"]).discard(platform)


@contextlib.asynccontextmanager
async def serving(platform: Platform, deployment: Json, most_pending: int) -> AsyncIterator[Server]:
    """Use a deployment's server for one request, and start it if it does not run.

    Raises AzureError 424 if the deployment's server has never started, and 429 if it has `most_pending` requests.
    """
    server = await _running(platform, deployment["id"])
    if server.pending >= most_pending:
        raise AzureError(
            429,
            "TooManyRequests",
            f"Deployment '{deployment['name']}' has {server.pending} requests pending, the most it takes "
            "(2 * max_concurrent_requests_per_instance * instance_count).",
            headers={"ms-azureml-model-error-reason": "too_many_pending_request", "Retry-After": "1"},
        )
    server.pending += 1
    server.idle.clear()
    try:
        yield server
    finally:
        server.pending -= 1
        if not server.pending:
            server.idle.set()


async def ended(server: Server) -> bool:
    """Whether a server that accepts no connection has ended, or does within seconds: its process ends last."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(server.child.process.wait(), _ENDING_SECONDS)
    return not server.child.running


def running(platform: Platform) -> dict[str, Server]:
    """Return the servers that run, by lower-case ARM id of their deployment."""
    return {id_: server for id_, server in platform.part(_Servers).running.items() if server.child.running}


async def retire(platform: Platform, resource_id: str) -> None:
    """End a deployment's server when its requests have ended, and delete its files."""
    servers = platform.part(_Servers)
    async with servers.lock(resource_id):
        deployment = platform.store.get(resource_id)
        if deployment is not None:
            # From here on, no request finds it or starts it again.
            deployment.body["properties"]["provisioningState"] = "Deleting"
            platform.store.put(deployment.id, deployment.type, deployment.body)
        server = servers.running.pop(resource_id.lower(), None)
        if server is not None:
            await _end(platform, server)
        launch = platform.store.get(f"{_LAUNCHES}{resource_id}")
        if launch is not None:
            await Launch.stored(launch.body["launch"]).discard(platform)
        for kind in (_LAUNCHES, _LOGS):
            platform.store.delete(f"{kind}{resource_id}")
    servers.locks.pop(resource_id.lower(), None)


def log_tail(platform: Platform, resource_id: str, container: str, lines: int | None) -> str:
    """Return the end of a deployment's log, from its server or from the preceding container (`StorageInitializer`)."""
    document = platform.store.get(f"{_LOGS}{resource_id}")
    if document is None:
        raise AzureError(404, "ResourceNotFound", "The deployment has no logs.")
    server = document.body["server"]
    wants_preparation = container.lower() == "storageinitializer"
    path = Path(document.body["preparation"] if wants_preparation or server is None else server)
    return tail(path, lines or 5000)


async def _running(platform: Platform, resource_id: str) -> Server:
    servers = platform.part(_Servers)
    server = servers.running.get(resource_id.lower())
    if server is not None and server.child.running:
        return server
    async with servers.lock(resource_id):
        server = servers.running.get(resource_id.lower())
        if server is not None and server.child.running:
            return server
        kept = platform.store.get(f"{_LAUNCHES}{resource_id}")
        if kept is None:
            raise AzureError(
                424,
                "ModelNotReady",
                "The deployment's model server has not started; see its logs.",
                headers={"ms-azureml-model-error-reason": "model_not_ready"},
            )
        if server is not None and server.agent is not None:
            await server.agent.close()
        return await _start(platform, resource_id, Launch.stored(kept.body["launch"]))


async def _start(platform: Platform, resource_id: str, launch: Launch) -> Server:
    preparation = preparation_log(platform, resource_id)
    agent = await _agent(platform, resource_id, launch)
    try:
        server = await start(platform, launch, lambda line: _write(preparation, line), agent)
    except BaseException:
        if agent is not None:
            await agent.close()
        raise
    platform.part(_Servers).running[resource_id.lower()] = server
    platform.background(_watch(platform, resource_id, server), f"watching {launch.name}")
    return server


async def _agent(platform: Platform, resource_id: str, launch: Launch) -> Agent | None:
    """Start the agent that collects a deployment's data. Return None if the deployment collects nothing."""
    deployment, endpoint = platform.store.get(resource_id), platform.store.get(resource_id.rsplit("/", 2)[0])
    wanted = collector.read(platform, endpoint.body, deployment.body) if deployment and endpoint else None
    if wanted is None:
        return None
    log = platform.state / "logs" / f"{launch.name}.log"
    agent = Agent(platform, wanted, lambda line: _write(log, line))
    await agent.open()
    return agent


async def _watch(platform: Platform, resource_id: str, server: Server) -> None:
    """Check a server's liveness probe while it runs. Restart the server if the probe fails too often."""
    probe, failures = Probe(**server.launch.liveness), 0
    await platform.clock.sleep(probe.initial_delay)
    while server.child.running and platform.part(_Servers).running.get(resource_id.lower()) is server:
        failures = 0 if await lives(server) else failures + 1
        if failures >= probe.failure_threshold and server.child.running:
            _write(server.child.log, f"Liveness probe failed {failures} times: the container is restarted.")
            await _stop(platform, server)
            with contextlib.suppress(AzureError, StartError):
                await _running(platform, resource_id)
            return
        await platform.clock.sleep(probe.period)


async def _end(platform: Platform, server: Server) -> None:
    """End a server after its requests, which have their own timeouts."""
    if server.pending:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.idle.wait(), settings.LONGEST_REQUEST_SECONDS)
    await _stop(platform, server)
    await server.launch.discard(platform)


async def _stop(platform: Platform, server: Server) -> None:
    await platform.children.stop(server.launch.name)
    await server.environment.stop(server.launch.name)
    if server.agent is not None:
        await server.agent.close()


def preparation_log(platform: Platform, resource_id: str) -> Path:
    """Return the log of a deployment's preparation. The names of other ones could be written as its own are."""
    *_, endpoint, _, deployment = resource_id.split("/")
    own = hashlib.sha256(resource_id.lower().encode()).hexdigest()[:12]
    return platform.state / "logs" / f"serving-{endpoint}-{deployment}-{own}.preparation.log"


def _write(log: Path, line: str) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
