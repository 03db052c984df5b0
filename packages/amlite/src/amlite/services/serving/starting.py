"""Start a model server, and check its probes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import aiohttp

from amlite.core.errors import AzureError, StartError
from amlite.core.platform import Platform
from amlite.core.processes import Child, tail
from amlite.services.environments import Prepared, UnusableEnvironment, prepare, virtual_environment
from amlite.services.environments.processes import VirtualEnvironment
from amlite.services.serving import custom, no_code
from amlite.services.serving.collecting import Agent
from amlite.services.serving.launch import Launch

_LOG_LINES = 40
Log = Callable[[str], None]
Command = Callable[[int], tuple[list[str], dict[str, str]]]


@dataclass
class Server:
    """A running model server and the number of its requests."""

    launch: Launch
    child: Child
    environment: Prepared
    agent: Agent | None = None
    pending: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    def address(self, path: str) -> str:
        """Return the server's URL for a request to the endpoint's `path` (with its query)."""
        image = self.launch.custom
        return f"http://127.0.0.1:{self.child.port}{image.path(path) if image else path}"


async def start(platform: Platform, launch: Launch, say: Log, agent: Agent | None = None) -> Server:
    """Start a server and wait until its readiness probe succeeds; `say` gets the build log of its environment.

    `agent` collects the server's data. Raises AzureError with Azure's error code and, if the server did not start, the
    end of its log.
    """
    try:
        environment, command = await _prepared(platform, launch, say, _collecting(launch, agent))
    except UnusableEnvironment as error:
        raise AzureError(400, "ImageBuildFailure", f"The deployment's environment cannot be used: {error}") from error
    image = launch.custom

    async def ready(port: int) -> bool:
        return await answers(platform, port, image.readiness if image else "/", launch.probe_timeout)

    variables: dict[str, str] = {}

    def line(port: int) -> list[str]:
        found, given = command(port)
        variables.update(given)
        return found

    line(0)
    try:
        child = await platform.children.ensure(
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


async def lives(platform: Platform, server: Server) -> bool:
    """Check a server's liveness probe once."""
    image = server.launch.custom
    timeout = float(server.launch.liveness.get("timeout", 2.0))
    return await answers(platform, server.child.port, image.liveness if image else "/", timeout)


async def answers(platform: Platform, port: int, path: str, timeout_seconds: float) -> bool:
    """Whether a GET of a path is answered with success within `timeout_seconds`."""
    limit = aiohttp.ClientTimeout(total=timeout_seconds)
    try:
        async with platform.http.get(f"http://127.0.0.1:{port}{path}", timeout=limit, allow_redirects=False) as answer:
            return 200 <= answer.status < 400
    except (aiohttp.ClientError, TimeoutError):
        return False


def _collecting(launch: Launch, agent: Agent | None) -> dict[str, str]:
    """Write the file that the package azureml-ai-monitoring reads. Return the variables by which it finds the agent."""
    if agent is None:
        return {}
    file = Path(launch.folder) / PurePosixPath(custom.COLLECTOR_FILE).name
    file.write_text(json.dumps(agent.settings), "utf-8")
    path = custom.COLLECTOR_FILE if launch.custom else str(file)
    return {"AZUREML_MDC_CONFIG_PATH": path, "AZUREML_MDC_HOST": "127.0.0.1", "AZUREML_MDC_PORT": str(agent.port)}


async def _prepared(
    platform: Platform, launch: Launch, say: Log, collecting: dict[str, str]
) -> tuple[Prepared, Command]:
    """Return the environment of a launch, and its command line and variables for a port."""
    variables = {**launch.environment(platform), **collecting}
    folder = Path(launch.folder)
    if (image := launch.custom) is not None:
        container = await custom.prepare(platform, image, launch.principal, say)
        return container, lambda port: custom.command(
            container, image, name=launch.name, folder=folder, port=port, environment=variables
        )
    prepared: Prepared
    if launch.environment_id is not None:
        prepared = await prepare(platform, launch.environment_id, say, principal=launch.principal)
    else:
        packages = no_code.packages_of(Path(str(launch.mlflow)), collects=bool(collecting))
        built = await virtual_environment.ensure(platform, packages, say)
        prepared = VirtualEnvironment(built, f"Python {packages.python} venv from {packages.source}")
    return prepared, lambda port: prepared.command(
        launch.arguments(port), cwd=launch.code, environment=variables, mounts={folder: folder}, name=launch.name
    )
