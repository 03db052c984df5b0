"""Programs in containers of an image."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Unpack

from amlite.core.access import Principal
from amlite.core.errors import StartError
from amlite.core.platform import Platform
from amlite.services.containerregistry import loopback
from amlite.services.containerregistry.tokens import NO_USER, refresh_token
from amlite.services.containerregistry.types import REGISTRY_TYPE, SUFFIX
from amlite.services.environments import engine
from amlite.services.environments.engine import Engine
from amlite.services.environments.errors import UnusableEnvironment
from amlite.services.environments.program import Program

OWNER_LABEL = "amlite.owner"
_PULL = "Microsoft.ContainerRegistry/registries/pull/read"
_CERTIFICATES = re.compile(r"(SSL_CERT_FILE|\w+_CA_BUNDLE|\w+_CA_CERTS|\w+_ROOTS_FILE_PATH)")


@dataclass
class _Tidied:
    """Whether the containers of an earlier amlite were ended."""

    done: bool = False


@dataclass(frozen=True)
class Container:
    """An image on an engine, ready to run; see `preparation.Prepared`. The engine knows it as `reference`."""

    engine: Engine
    state: Path
    image: str
    reference: str

    @property
    def kind(self) -> Literal["container"]:
        """The way in which programs run."""
        return "container"

    @property
    def label(self) -> str:
        """The image, its digest shortened."""
        return "container " + re.sub(r"(@sha256:.{12}).*", r"\1", self.image)

    def command(self, argv: Sequence[str], **program: Unpack[Program]) -> tuple[list[str], dict[str, str]]:
        """Return `docker run` and its environment, from which it takes the values of the container's variables."""
        inside = {"HOME": "/tmp", **program["environment"], **engine.owner_environment(self.state)}  # noqa: S108
        line = [self.engine.client, "run", "--rm", "--init", "--network", "host", "--name", program["name"]]
        line += ["--label", f"{OWNER_LABEL}={self.state}", "--user", f"{os.getuid()}:{os.getgid()}"]
        line += [part for key in sorted(inside) for part in ("--env", key)]
        line += [part for outer, inner in program["mounts"].items() for part in ("--volume", f"{outer}:{inner}")]
        line += certificate_volumes(inside)
        line += ["--shm-size", program["shared_memory"]] if "shared_memory" in program else []
        line += ["--workdir", str(program["cwd"]), "--entrypoint", argv[0], self.reference, *argv[1:]]
        # The values are in the environment, because all users can read a command line.
        return line, {"PATH": os.environ.get("PATH", os.defpath), **inside, "DOCKER_HOST": self.engine.host}

    async def stop(self, name: str) -> None:
        """Remove the container with a name, running or not."""
        await asyncio.to_thread(_remove, self.engine.host, {"name": f"^/?{re.escape(name)}$"})


def certificate_volumes(environment: Mapping[str, str]) -> list[str]:
    """Return the options of `docker run` that mount the certificate files in the container's variables."""
    files = {value for key, value in environment.items() if _CERTIFICATES.fullmatch(key)}
    return [part for file in sorted(files) for part in ("--volume", f"{file}:{file}:ro")]


async def prepare(platform: Platform, image: str, log: Callable[[str], None], principal: Principal | None) -> Container:
    """Pull an image as `principal` if the engine does not have it. Raises UnusableEnvironment."""
    _require_pull(platform, image, principal)
    try:
        found = await engine.ensure(platform, log)
        reference = image
        if _registry(image) is not None:
            reference = loopback.reference(image, await loopback.port(platform))
    except StartError as error:
        raise UnusableEnvironment(
            f"the environment is the image '{image}', which amlite cannot run: {error}"
        ) from error
    credentials = None
    registry = _registry(image)
    if registry is not None and principal is not None:
        credentials = {"username": NO_USER, "password": refresh_token(platform, principal, registry)}
    if not (tidied := platform.part(_Tidied)).done:
        # The first container of this amlite: end the containers of an earlier one that was killed.
        tidied.done = True
        await asyncio.to_thread(_remove, found.host, {"label": f"{OWNER_LABEL}={platform.state}"})
    await asyncio.to_thread(_have, found.host, reference, image, credentials, log)
    return Container(found, platform.state, image, reference)


def _registry(image: str) -> str | None:
    server = image.partition("/")[0].lower()
    return server.removesuffix(SUFFIX) if server.endswith(SUFFIX) else None


def _require_pull(platform: Platform, image: str, principal: Principal | None) -> None:
    name = _registry(image)
    if name is None:
        return
    for document in platform.store.of_type(REGISTRY_TYPE):
        if document.body["name"].lower() == name:
            break
    else:
        raise UnusableEnvironment(f"the image '{image}' is in the registry '{name}{SUFFIX}', which does not exist")
    if principal is not None and not platform.access.allowed(principal, document.id, _PULL):
        raise UnusableEnvironment(
            f"the identity with client id '{principal.client_id}' may not pull '{image}': give it the role AcrPull "
            f"on the container registry '{name}'"
        )


def _have(
    host: str, reference: str, image: str, credentials: dict[str, str] | None, log: Callable[[str], None]
) -> None:
    from docker.errors import DockerException, ImageNotFound

    with _api(host) as api:
        try:
            api.inspect_image(reference)
        except ImageNotFound:
            log(f"pulling {image}")
        else:
            return
        try:
            for event in api.pull(reference, stream=True, decode=True, auth_config=credentials):
                if "error" in event:
                    raise UnusableEnvironment(f"the image '{image}' cannot be pulled: {event['error']}")
        except DockerException as error:
            raise UnusableEnvironment(f"the image '{image}' cannot be pulled: {error}") from error


def _remove(host: str, filters: dict[str, str]) -> None:
    from docker.errors import APIError

    with _api(host) as api:
        for container in api.containers(all=True, quiet=True, filters=filters):
            # It may end by itself in between. Then `--rm` removes it.
            with contextlib.suppress(APIError):
                api.remove_container(container["Id"], force=True)


@contextlib.contextmanager
def _api(host: str) -> Iterator[Any]:
    import docker
    from docker.errors import DockerException

    try:
        api = docker.APIClient(base_url=host, version="auto", timeout=600)
    except DockerException as error:
        raise UnusableEnvironment(f"no Docker engine answers at {host}: {error}") from error
    try:
        yield api
    finally:
        api.close()
