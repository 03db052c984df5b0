"""Start a model server, and check its probes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import aiohttp
from yarl import URL

from amlite.core import contained
from amlite.core.errors import AzureError, StartError
from amlite.core.platform import Platform
from amlite.core.processes import Child, tail
from amlite.services.environments import Prepared, UnusableEnvironment, installed, prepare
from amlite.services.environments.containers import Container
from amlite.services.serving import custom, no_code
from amlite.services.serving.collecting import Agent
from amlite.services.serving.launch import Launch

_LOG_LINES = 40
Log = Callable[[str], None]
Command = Callable[[Path | int], tuple[list[str], dict[str, str]]]
"""The command line and the variables of a server that listens on a socket or on a port."""


@dataclass
class Server:
    """A running model server and the number of its requests."""

    launch: Launch
    child: Child
    environment: Prepared
    agent: Agent | None = None
    pending: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    def address(self, path: str) -> URL:
        """Return the server's URL for a request to the endpoint's `path` (with its query)."""
        image = self.launch.custom
        return self.child.url(image.path(path) if image else path)


async def start(platform: Platform, launch: Launch, say: Log, agent: Agent | None = None) -> Server:
    """Start a server and wait until its readiness probe succeeds; `say` gets the build log of its environment.

    `agent` collects the server's data. Raises AzureError with Azure's error code and, if the server did not start, the
    end of its log.
    """
    try:
        environment, command = await _prepared(platform, launch, say, agent)
    except UnusableEnvironment as error:
        raise AzureError(400, "ImageBuildFailure", f"The deployment's environment cannot be used: {error}") from error
    image = launch.custom

    async def ready(child: Child) -> bool:
        return await answers(child, image.readiness if image else "/", launch.probe_timeout)

    variables: dict[str, str] = {}

    def line(place: Path | int) -> list[str]:
        found, given = command(place)
        variables.update(given)
        return found

    line(0)
    # The machine's own engine can publish only a port.
    published = image is not None and isinstance(environment, Container) and not environment.engine.private
    ensure = platform.children.ensure if published else platform.children.ensure_at_socket
    try:
        child = await ensure(
            launch.name,
            line,
            ready=ready,
            environment=variables,
            cwd=launch.code if launch.code.is_dir() else Path(launch.folder),
            timeout=launch.start_timeout,
        )
    except StartError as error:
        await environment.stop(launch.name)
        log = platform.state / "logs" / f"{launch.name}.log"
        reason = str(error).partition("; log ")[0].partition("\n")[0]
        raise AzureError(
            400,
            "ResourceNotReady",
            f"User container has crashed or terminated: {reason}. The end of its log:\n{tail(log, _LOG_LINES)}",
        ) from error
    return Server(launch, child, environment, agent)


async def lives(server: Server) -> bool:
    """Check a server's liveness probe once."""
    image = server.launch.custom
    timeout = float(server.launch.liveness.get("timeout", 2.0))
    return await answers(server.child, image.liveness if image else "/", timeout)


async def answers(child: Child, path: str, timeout_seconds: float) -> bool:
    """Whether a GET of a path is answered with success within `timeout_seconds`."""
    limit = aiohttp.ClientTimeout(total=timeout_seconds)
    try:
        async with child.http.get(child.url(path), timeout=limit, allow_redirects=False) as answer:
            return 200 <= answer.status < 400
    except (aiohttp.ClientError, TimeoutError):
        return False


def _collecting(launch: Launch, agent: Agent | None) -> dict[str, str]:
    """Write the file that the package azureml-ai-monitoring reads. Return the variables by which it finds the agent."""
    if agent is None:
        return {}
    file = Path(launch.folder) / PurePosixPath(custom.COLLECTOR_FILE).name
    contained.write(file, json.dumps(agent.settings))  # the server, which may have run before, can write there
    path = custom.COLLECTOR_FILE if launch.custom else str(file)
    return {"AZUREML_MDC_CONFIG_PATH": path, "AZUREML_MDC_HOST": agent.host, "AZUREML_MDC_PORT": str(agent.port)}


async def _prepared(platform: Platform, launch: Launch, say: Log, agent: Agent | None) -> tuple[Prepared, Command]:
    """Return the environment of a launch, and its command."""
    collecting = _collecting(launch, agent)
    variables = {**launch.environment(platform), **collecting}
    ports = [agent.port] if agent else []
    folder = Path(launch.folder)
    if (image := launch.custom) is not None:
        container = await custom.prepare(platform, image, str(launch.environment_id), launch.principal, say)
        return container, lambda place: custom.command(
            container, image, name=launch.name, folder=folder, place=place, environment=variables, ports=ports
        )
    prepared: Prepared
    if launch.environment_id is not None:
        prepared = await prepare(platform, launch.environment_id, say, principal=launch.principal)
    else:
        packages = no_code.packages_of(Path(str(launch.mlflow)), folder, collects=bool(collecting))
        prepared = await installed(platform, packages, say)

    def command(place: Path | int) -> tuple[list[str], dict[str, str]]:
        socket = Path(str(place))
        return prepared.command(
            launch.arguments(socket),
            cwd=launch.code,
            environment=variables,
            folders=[folder, socket.parent],
            inputs=[],
            ports=ports,
            name=launch.name,
        )

    return prepared, command
