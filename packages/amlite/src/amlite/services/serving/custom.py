"""Custom containers: an environment's image with its own server and the routes of its `inference_config`."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from amlite.core import programs
from amlite.core.access import Principal
from amlite.core.errors import AzureError, StartError
from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.containerregistry import loopback
from amlite.services.containerregistry.types import SUFFIX
from amlite.services.environments import UnusableEnvironment, containers, engine
from amlite.services.environments.containers import Container
from amlite.services.environments.engine import Engine
from amlite.services.environments.preparation import download_context
from amlite.services.serving import templates
from amlite.tools import base_image

if TYPE_CHECKING:
    from amlite.core.docker_build import Plan

MOUNT = "/var/azureml-app"
COLLECTOR_FILE = "/etc/mdc-config.json"
"""The file that tells a scoring script what to collect. Outside a container it is in the launch's folder."""
_COPIES = re.compile(r"(?:ONBUILD[ \t]+)*(?:(?:COPY|ADD)[ \t]+(.*)|RUN[ \t]+((?:--\S+[ \t]+)*))", re.IGNORECASE)
_COPIED = re.compile(r"from=([^\s,]+)")
_NAMED = re.compile(r"[\w./:@-]+", re.ASCII)
# Docker drops them from words: `--fr\om='a'` is `--from=a`.
_DROPPED = re.compile(r"[\\\"']")
_OF_REGISTRY = re.compile(rf"(?<![\w-])[\w-]+{re.escape(SUFFIX)}/[\w./:@-]*", re.IGNORECASE)
_IGNORED_SECONDS = 2
_IGNORED = f"""
import signal, sys
from pathlib import Path
from amlite.core.docker_build import Plan
signal.alarm({_IGNORED_SECONDS})
Plan(Path(sys.argv[1]), Path(sys.argv[2])).files()
"""
_ROUTES = ("livenessRoute", "readinessRoute", "scoringRoute")


@dataclass(frozen=True)
class Image:
    """A custom container: its image (or the build context that makes it), its port, and the paths of its routes."""

    image: str | None
    context: str | None
    dockerfile: str
    port: int
    liveness: str
    readiness: str
    scoring: str
    mount: str = MOUNT

    def json(self) -> Json:
        """Return the arguments of `Image(**…)`."""
        return asdict(self)

    def path(self, asked: str) -> str:
        """Return a request's path inside the container: `/score` becomes the scoring route, others do not change."""
        path, mark, query = asked.partition("?")
        return f"{self.scoring}{mark}{query}" if path.rstrip("/") == "/score" else asked


def of(environment: Json, template: Json | None = None) -> Image | None:
    """Read the routes of a deployment's template, or else an environment's inference configuration.

    Return None without either. Raises AzureError 400 if they are incomplete.
    """
    given = templates.routes(template, environment) if template else environment.get("inferenceConfig") or {}
    if not given:
        return None
    where = "the deployment template" if template else "inferenceConfig of the environment"
    missing = [name for name in _ROUTES if not (given.get(name) or {}).get("port") or not given[name].get("path")]
    if missing:
        raise AzureError(400, "BadArgument", f"{where}: {', '.join(missing)}: path and port are required.")
    ports = {int(given[name]["port"]) for name in _ROUTES}
    if len(ports) > 1:
        raise AzureError(400, "BadArgument", f"{where}: this local Azure reaches a container at one port.")
    build = environment.get("build") or {}
    dockerfile = PurePosixPath(build.get("dockerfilePath") or "Dockerfile")
    if dockerfile.is_absolute() or ".." in dockerfile.parts:
        raise AzureError(400, "BadArgument", "build.dockerfilePath of the environment must be inside the context.")
    paths = ["/" + str(given[name]["path"]).lstrip("/") for name in _ROUTES]
    return Image(
        image=environment.get("image"),
        context=build.get("contextUri"),
        dockerfile=str(dockerfile),
        port=ports.pop(),
        liveness=paths[0],
        readiness=paths[1],
        scoring=paths[2],
    )


async def prepare(
    platform: Platform, image: Image, environment_id: str, principal: Principal, log: Callable[[str], None]
) -> Container:
    """Pull the image of an environment version as `principal`, or build it, if the engine does not have it.

    Raises UnusableEnvironment.
    """
    try:
        found = await engine.ensure(platform, log)
    except StartError as error:
        raise UnusableEnvironment(
            f"a custom container needs a Docker engine; a scoring script or an MLflow model needs none: {error}"
        ) from error
    if image.context is not None:
        image = replace(image, image=await _built(platform, found, image, environment_id, principal, log))
    return await containers.prepare(platform, str(image.image), log, principal)


async def _built(
    platform: Platform,
    found: Engine,
    image: Image,
    environment_id: str,
    principal: Principal,
    log: Callable[[str], None],
) -> str:
    """Build the image of a context and return its name, which is derived from the context's content."""
    from amlite.core.docker_build import (
        Builder,
        BuildError,
        Plan,
    )  # imported late, because the Docker client takes time

    loop = asyncio.get_running_loop()

    def substitute() -> Path:
        try:
            return Path(asyncio.run_coroutine_threadsafe(base_image.TOOL.ensure(log), loop).result())
        except StartError as error:
            raise BuildError(str(error)) from error

    def build(plan: Plan) -> str:
        name = f"amlite/custom:{plan.digest()[:24]}"
        with Builder(found.host, substitute=substitute, host_network=found.private) as builder:
            builder.build(plan, name, log, log)
        return name

    with tempfile.TemporaryDirectory(prefix="amlite-context-") as folder:
        await download_context(platform, environment_id, str(image.context), Path(folder))
        try:
            plan = Plan.of({"context": ".", "dockerfile": image.dockerfile}, Path(folder))
            check_images(platform, plan, principal)
            await check_ignored(plan)
            return await asyncio.to_thread(build, plan)
        except BuildError as error:
            raise UnusableEnvironment(str(error)) from error


async def check_ignored(plan: Plan) -> None:
    """Raise UnusableEnvironment for a .dockerignore whose patterns take long.

    They become regular expressions, which nothing interrupts: meanwhile, amlite would answer nobody.
    """
    if not (plan.context / ".dockerignore").is_file():
        return
    line = [sys.executable, "-P", "-c", _IGNORED, str(plan.context), str(plan.dockerfile)]
    if await programs.run(line, line=lambda _line: None, environment=os.environ):
        raise UnusableEnvironment(
            f"the .dockerignore of the build context takes more than {_IGNORED_SECONDS} seconds: use fewer '*'"
        )


def check_images(platform: Platform, plan: Plan, principal: Principal) -> None:
    """Raise UnusableEnvironment for a Dockerfile with images that a principal may not pull.

    The engine may have them already. Raises BuildError for a Dockerfile that Docker might read in another way.
    """
    bases = plan.bases()
    if unknown := [base for base in bases if _NAMED.fullmatch(base) is None]:
        raise UnusableEnvironment(f"the Dockerfile has the base image '{unknown[0]}', whose name is not known")
    lines = [_DROPPED.sub("", each) for joins in (False, True) for each in plan.instructions(joins_words=joins)]
    place = loopback.address(platform)
    if place is not None and any(place in text for text in (*bases, *lines)):
        raise UnusableEnvironment(f"the Dockerfile has an image of {place}, this machine's port: name its registry")
    options = [" ".join(found.groups("")) for line in lines if (found := _COPIES.match(line)) is not None]
    copied = [each for option in options for each in _COPIED.findall(option)]
    images = {each for each in copied if not each.isdigit()}  # a number is one of a stage
    for found in {*bases, *images, *(each for text in (*bases, *lines) for each in _OF_REGISTRY.findall(text))}:
        containers.require_pull(platform, found, principal)


def command(
    container: Container,
    image: Image,
    *,
    name: str,
    folder: Path,
    place: Path | int,
    environment: Mapping[str, str],
    ports: Sequence[int],
) -> tuple[list[str], dict[str, str]]:
    """Return the command line that runs the image with its own user and start command, and its environment.

    The machine's engine publishes the port `place` on loopback. Its containers cannot reach amlite. The private daemon
    has no network to publish ports: there the container answers at the socket `place`, and reaches `ports`.
    """
    private = container.engine.private
    options = [] if private else ["--publish", f"127.0.0.1:{place}:{image.port}"]
    for outer, inner in (("azureml-models", PurePosixPath(image.mount)), ("code", PurePosixPath(MOUNT))):
        if (folder / outer).is_dir():
            options += ["--volume", f"{folder / outer}:{inner / outer}:ro"]
    settings = folder / PurePosixPath(COLLECTOR_FILE).name
    if settings.is_file():
        options += ["--volume", f"{settings}:{COLLECTOR_FILE}:ro"]
    if not private:
        return container.run(name, environment, options, (), ports=())
    inwards = f"{place}:{image.port}"
    return container.run(name, environment, options, (), ports=[*ports, container.proxy], inwards=inwards)
