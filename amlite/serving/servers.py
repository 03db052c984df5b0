"""The model servers: started when a deployment is created, again when needed, ended when it goes."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from amlite.children import Child, tail
from amlite.environments import Prepared, UnusableEnvironment, prepare, virtual_environment
from amlite.environments.processes import VirtualEnvironment
from amlite.errors import AzureError, StartError
from amlite.platform import Platform
from amlite.serving import no_code, settings
from amlite.serving.launch import Launch, gather, launched_from

ENDPOINT_TYPE = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
DEPLOYMENT_TYPE = f"{ENDPOINT_TYPE}/deployments"
_LAUNCHES = "serving/launches"
_LOGS = "serving/logs"
_PART = "serving"
_LOG_LINES = 40
Json = dict[str, Any]


@dataclass
class Server:
    """A running model server and how many requests are in it."""

    launch: Launch
    child: Child
    prepared: Prepared
    pending: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class _Servers:
    """What is in memory, by lower-case deployment resource_id."""

    running: dict[str, Server] = field(default_factory=dict)
    locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    def lock(self, resource_id: str) -> asyncio.Lock:
        return self.locks.setdefault(resource_id.lower(), asyncio.Lock())


async def provision(platform: Platform, resource_id: str) -> None:
    """Start the server of a created or changed deployment; the one before it, if any, ends once its requests have.

    A change that does not reach the server (tags, request limits) leaves it running.
    Raises AzureError with Azure's code for what went wrong and, where the server did not start, the end of its log.
    """
    servers = _servers(platform)
    async with servers.lock(resource_id):
        deployment, endpoint = platform.store.get(resource_id), platform.store.get(resource_id.rsplit("/", 2)[0])
        if deployment is None or endpoint is None:
            raise AzureError(409, "OperationCanceled", "The deployment was deleted while it was being created.")
        content, kept = launched_from(deployment.body), platform.store.get(f"{_LAUNCHES}{resource_id}")
        running = servers.running.get(resource_id.lower())
        if kept is not None and kept.body["content"] == content and running is not None and running.child.running:
            return
        preparation = _preparation_log(platform, endpoint.body["name"], deployment.body["name"])
        preparation.unlink(missing_ok=True)
        platform.store.put(f"{_LOGS}{resource_id}", _LOGS, {"preparation": str(preparation), "server": None})
        launch = await gather(platform, endpoint.body, deployment.body, lambda line: _write(preparation, line))
        log = platform.state / "logs" / f"{launch.name}.log"
        platform.store.put(f"{_LOGS}{resource_id}", _LOGS, {"preparation": str(preparation), "server": str(log)})
        try:
            server = await _start(platform, launch)
        except BaseException:
            await asyncio.to_thread(shutil.rmtree, launch.folder, ignore_errors=True)
            raise
        platform.store.put(f"{_LAUNCHES}{resource_id}", _LAUNCHES, {"content": content, "launch": launch.json()})
        servers.running[resource_id.lower()] = server
    if running is not None:
        await _end(platform, running)
    elif kept is not None:
        await asyncio.to_thread(shutil.rmtree, kept.body["launch"]["folder"], ignore_errors=True)


@contextlib.asynccontextmanager
async def serving(platform: Platform, deployment: Json, most_pending: int) -> AsyncIterator[Server]:
    """Hold a deployment's server for one request, starting it where it does not run.

    Raises AzureError 424 for a deployment whose server has never started, 429 when `most_pending` requests are in it.
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


async def retire(platform: Platform, resource_id: str) -> None:
    """End a deployment's server once its requests have ended, and forget its files."""
    servers = _servers(platform)
    async with servers.lock(resource_id):
        deployment = platform.store.get(resource_id)
        if deployment is not None:
            # From here on no request finds it, hence none starts it again.
            deployment.body["properties"]["provisioningState"] = "Deleting"
            platform.store.put(deployment.id, deployment.type, deployment.body)
        server = servers.running.pop(resource_id.lower(), None)
        if server is not None:
            await _end(platform, server)
        launch = platform.store.get(f"{_LAUNCHES}{resource_id}")
        if launch is not None:
            await asyncio.to_thread(shutil.rmtree, launch.body["launch"]["folder"], ignore_errors=True)
        for kind in (_LAUNCHES, _LOGS):
            platform.store.delete(f"{kind}{resource_id}")
    servers.locks.pop(resource_id.lower(), None)


async def retire_below(platform: Platform, resource_id: str) -> None:
    """Retire every deployment below an endpoint, a workspace or a resource group."""
    deployments = platform.store.below(resource_id, DEPLOYMENT_TYPE)
    await asyncio.gather(*(retire(platform, document.id) for document in deployments))


def log_tail(platform: Platform, resource_id: str, container: str, lines: int | None) -> str:
    """Return the end of a deployment's log: of its server, or of what came before (`StorageInitializer`)."""
    document = platform.store.get(f"{_LOGS}{resource_id}")
    if document is None:
        raise AzureError(404, "ResourceNotFound", "The deployment has no logs.")
    server = document.body["server"]
    wants_preparation = container.lower() == "storageinitializer"
    path = Path(document.body["preparation"] if wants_preparation or server is None else server)
    return tail(path, lines or 5000)


async def _running(platform: Platform, resource_id: str) -> Server:
    servers = _servers(platform)
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
        server = await _start(platform, Launch(**kept.body["launch"]))
        servers.running[resource_id.lower()] = server
        return server


async def _start(platform: Platform, launch: Launch) -> Server:
    preparation = Path(_preparation_of(launch, platform))
    try:
        prepared = await _prepared(platform, launch, lambda line: _write(preparation, line))
    except UnusableEnvironment as error:
        raise AzureError(400, "ImageBuildFailure", f"The deployment's environment cannot be used: {error}") from error
    folder = Path(launch.folder)

    def command(port: int) -> tuple[list[str], dict[str, str]]:
        return prepared.command(
            launch.arguments(port),
            cwd=launch.code,
            environment=launch.environment(platform),
            mounts={folder: folder},
            name=launch.name,
        )

    async def ready(port: int) -> bool:
        return await _answers(platform, port)

    try:
        child = await platform.children.ensure(
            launch.name,
            lambda port: command(port)[0],
            ready=ready,
            environment=command(0)[1],
            cwd=launch.code,
            timeout=launch.patience,
        )
    except StartError as error:
        await prepared.stop(launch.name)
        log = platform.state / "logs" / f"{launch.name}.log"
        reason = str(error).partition("; log ")[0].partition("\n")[0]
        raise AzureError(
            400,
            "ResourceNotReady",
            f"User container has crashed or terminated: {reason}. The end of its log:\n{tail(log, _LOG_LINES)}",
        ) from error
    return Server(launch, child, prepared)


async def _prepared(platform: Platform, launch: Launch, log: Callable[[str], None]) -> Prepared:
    """Return the environment that a launch names, or the one that its MLflow model asks for."""
    if launch.environment_id is not None:
        return await prepare(platform, launch.environment_id, log, principal=launch.principal)
    packages = no_code.packages_of(Path(str(launch.mlflow)))
    folder = await virtual_environment.ensure(platform, packages, log)
    return VirtualEnvironment(folder, f"Python {packages.python} venv from {packages.source}")


async def _end(platform: Platform, server: Server) -> None:
    """End a server after the requests in it, which end by their own time limits."""
    if server.pending:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.idle.wait(), settings.LONGEST_REQUEST_SECONDS)
    await platform.children.stop(server.launch.name)
    await server.prepared.stop(server.launch.name)
    await asyncio.to_thread(shutil.rmtree, server.launch.folder, ignore_errors=True)


async def _answers(platform: Platform, port: int) -> bool:
    try:
        async with platform.http.get(f"http://127.0.0.1:{port}/", timeout=aiohttp.ClientTimeout(total=2)) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


def _servers(platform: Platform) -> _Servers:
    found = platform.parts.setdefault(_PART, _Servers())
    assert isinstance(found, _Servers)  # noqa: S101 - the part's type, for the type checker
    return found


def _preparation_log(platform: Platform, endpoint: str, deployment: str) -> Path:
    return platform.state / "logs" / f"serving-{endpoint}-{deployment}.preparation.log"


def _preparation_of(launch: Launch, platform: Platform) -> Path:
    return platform.state / "logs" / f"{launch.name.rpartition('-')[0]}.preparation.log"


def _write(log: Path, line: str) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
