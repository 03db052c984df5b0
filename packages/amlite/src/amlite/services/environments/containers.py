"""Programs in containers of an image."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Unpack
from urllib.parse import urlsplit

from amlite.core import private_folder
from amlite.core.access import Principal
from amlite.core.errors import StartError
from amlite.core.platform import Platform
from amlite.services.containerregistry import loopback
from amlite.services.containerregistry.tokens import NO_USER, refresh_token
from amlite.services.containerregistry.types import REGISTRY_TYPE, SUFFIX
from amlite.services.environments import engine
from amlite.services.environments.engine import Engine
from amlite.services.environments.errors import UnreachableImage, UnusableEnvironment
from amlite.services.environments.program import Program, plain_http
from amlite.services.environments.usage import Usage, of_container

OWNER_LABEL = "amlite.owner"
_PULL = "Microsoft.ContainerRegistry/registries/pull/read"
_PART = r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*"
# The grammar of references in github.com/distribution/reference. Docker's client takes a name that begins with a hyphen
# for an option.
_NAME = re.compile(
    rf"(?:[A-Za-z0-9.-]+(?::\d+)?/)?{_PART}(?:/{_PART})*(?::\w[\w.-]{{0,127}})?(?:@[A-Za-z0-9+._-]+:[0-9a-fA-F]{{32,}})?",
    re.ASCII,
)
# The engine takes the beginning of an id, too.
_ID = re.compile(r"(?:sha256:)?[0-9a-f]+", re.IGNORECASE)
_LINE_END = re.compile(r"[\r\n]")
# What Docker's client, its runtime and the loader of programs read.
_READ_BY_CLIENT = re.compile(
    r"(?:ALL|HTTPS?|NO)_PROXY|HOME|PATH|TMPDIR|(?:BUILDKIT|DOCKER|GLIBC|LD|MALLOC|OTEL|SSL|XDG)_.*|GO.*", re.IGNORECASE
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# The relays start when the container runs. Its program starts when something listens on the port of the proxy.
_WAIT = (
    "listens() {{ while read -r _ local _ state _; do "
    'case "$local $state" in *:{port}" 0A") return 0;; esac; done </proc/net/tcp; return 1; }}; '
    'until listens; do sleep 0.02; done; exec "$@"'
)


@dataclass
class _Tidied:
    """Whether the containers of an earlier amlite were ended."""

    done: bool = False


@dataclass(frozen=True)
class Container:
    """An image on an engine, ready to run; see `preparation.Prepared`. The engine knows it as `reference`.

    `proxy` is the port of amlite's proxy. Nothing that a user sets may decide what is mounted or which port is reached.
    """

    engine: Engine
    state: Path
    image: str
    reference: str
    proxy: int

    @property
    def keeps_inputs(self) -> bool:
        """Whether its programs cannot change their inputs."""
        return True

    @property
    def kind(self) -> Literal["container"]:
        """The way in which programs run."""
        return "container"

    @property
    def label(self) -> str:
        """The image, its digest shortened."""
        return "container " + re.sub(r"(@sha256:.{12}).*", r"\1", self.image)

    def command(self, argv: Sequence[str], **program: Unpack[Program]) -> tuple[list[str], dict[str, str]]:
        """Return `docker run` and its environment."""
        inside = {"HOME": "/tmp", **program["environment"]}  # noqa: S108
        options = ["--init", "--user", f"{os.getuid()}:{os.getgid()}", "--workdir", str(program["cwd"])]
        options += [part for each in program["inputs"] for part in ("--volume", f"{each}:{each}:ro")]
        options += [part for each in program["folders"] for part in ("--volume", f"{each}:{each}")]
        options += ["--shm-size", program["shared_memory"]] if "shared_memory" in program else []
        ports = [*program["ports"], self.proxy]
        if self.engine.private:
            wait = [_WAIT.format(port=f"{self.proxy:04X}"), "sh"]
            return self.run(
                program["name"], inside, [*options, "--entrypoint", "sh"], ["-c", *wait, *argv], ports=ports
            )
        options += ["--network", "host", "--entrypoint", argv[0]]
        return self.run(program["name"], inside, options, argv[1:], ports=())

    def run(
        self,
        name: str,
        inside: Mapping[str, str],
        options: Sequence[str],
        arguments: Sequence[str],
        *,
        ports: Sequence[int],
        inwards: str = "",
    ) -> tuple[list[str], dict[str, str]]:
        """Return the command line of `isolated.py` for a container with the variables `inside`, and its environment.

        With `ports`, the container has a network of its own, from which it reaches these loopback ports.
        """
        private = private_folder.ensure(self.state)
        variables = private / f"{secrets.token_hex(8)}.env"
        own = plain_http(inside) if ports else {}
        direct = _write(variables, {**inside, **own, **engine.owner_environment(self.state)})
        passed = {name: value for name, value in direct.items() if _is_harmless(name)}
        named = [name if name in passed else f"{name}={value}" for name, value in sorted(direct.items())]
        certificates = (self.state / "certificates" / each for each in ("bundle.pem", "wgetrc"))
        line = [self.engine.client, "run", "--rm", "--name", name, "--label", f"{OWNER_LABEL}={self.state}"]
        line += ["--env-file", str(variables), *(part for each in named for part in ("--env", each))]
        line += [part for each in certificates for part in ("--volume", f"{each}:{each}:ro")]
        line += [*(["--network", "none"] if ports else []), *options]
        program = str(Path(__file__).with_name("isolated.py"))
        wrapper = [sys.executable, "-I", program, str(variables), inwards, ",".join(map(str, ports)), name]
        # The client runs with amlite's rights: no variable that it reads, and no configuration of others may reach it.
        client = {
            **passed,
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(private),
            "DOCKER_CONFIG": str(private / "docker"),
        }
        return [*wrapper, *line, self.reference, *arguments], {**client, "DOCKER_HOST": self.engine.host}

    async def usage(self, name: str, pid: int) -> Usage | None:
        """Return what the container of a name uses, as its engine knows it, or None."""
        return await asyncio.to_thread(_usage, self.engine.host, name)

    async def stop(self, name: str) -> None:
        """Remove the container with a name, running or not."""
        await asyncio.to_thread(_remove, self.engine.host, {"name": f"^/?{re.escape(name)}$"})


def _is_harmless(name: str) -> bool:
    """Whether a variable may pass through the environment of Docker's client."""
    return _VARIABLE.fullmatch(name) is not None and _READ_BY_CLIENT.fullmatch(name) is None


def _write(path: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Write the variables to a file, because all users can read a command line.

    Return those with more than one line, which the file cannot have.
    """
    lines = {name: value for name, value in variables.items() if not _LINE_END.search(value)}
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in sorted(lines.items()))
    return {name: value for name, value in variables.items() if name not in lines}


async def prepare(platform: Platform, image: str, log: Callable[[str], None], principal: Principal | None) -> Container:
    """Pull an image as `principal` if the engine does not have it. Raises UnusableEnvironment."""
    require_pull(platform, image, principal)
    try:
        found = await engine.ensure(platform, log)
        reference = image
        if _registry(image) is not None:
            reference = loopback.reference(image, await loopback.port(platform))
    except StartError as error:
        raise UnreachableImage(f"the environment is the image '{image}', which amlite cannot run: {error}") from error
    credentials = None
    registry = _registry(image)
    if registry is not None and principal is not None:
        credentials = {"username": NO_USER, "password": refresh_token(platform, principal, registry)}
    if not (tidied := platform.part(_Tidied)).done:
        # The first container of this amlite: end the containers of an earlier one that was killed.
        tidied.done = True
        await asyncio.to_thread(_remove, found.host, {"label": f"{OWNER_LABEL}={platform.state}"})
    if not found.private:
        log("the container has this machine's network: the Docker engine is not amlite's own (docs/security.md)")
    await asyncio.to_thread(_have, found.host, reference, image, credentials, log)
    proxy = urlsplit(platform.environment["HTTPS_PROXY"]).port or 0
    return Container(found, platform.state, image, reference, proxy)


def _registry(image: str) -> str | None:
    server = image.partition("/")[0].lower()
    return server.removesuffix(SUFFIX) if server.endswith(SUFFIX) else None


def require_pull(platform: Platform, image: str, principal: Principal | None) -> None:
    """Raise UnusableEnvironment unless an image may be pulled: the engine may have it already, pulled for others."""
    if _NAME.fullmatch(image) is None:
        raise UnusableEnvironment(f"'{image}' is not the name of an image")
    if _ID.fullmatch(image) is not None:
        raise UnusableEnvironment(f"'{image}' could be the id of an image: add a tag, such as {image}:latest")
    if loopback.is_here(platform, image):
        raise UnusableEnvironment(f"the image '{image}' names this machine's port: name its registry, as *{SUFFIX}")
    name = _registry(image)
    if name is None:
        return
    for document in platform.store.of_type(REGISTRY_TYPE):
        if document.body["name"].lower() == name:
            break
    else:
        raise UnusableEnvironment(f"the image '{image}' is in the registry '{name}{SUFFIX}', which does not exist")
    if principal is None:
        raise UnusableEnvironment(
            f"the image '{image}' is in a registry, and the compute has no identity: give it one with the role AcrPull "
            f"on the container registry '{name}'"
        )
    if not platform.access.allowed(principal, document.id, _PULL):
        raise UnusableEnvironment(
            f"the identity with client id '{principal.client_id}' may not pull '{image}': give it the role AcrPull "
            f"on the container registry '{name}'"
        )


def _have(
    host: str, reference: str, image: str, credentials: dict[str, str] | None, log: Callable[[str], None]
) -> None:
    from docker.errors import APIError, DockerException, ImageNotFound

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
                    raise UnreachableImage(f"the image '{image}' cannot be pulled: {event['error']}")
        except DockerException as error:
            reason = error.explanation if isinstance(error, APIError) else error
            raise UnreachableImage(f"the image '{image}' cannot be pulled: {reason}") from error


def _usage(host: str, name: str) -> Usage | None:
    from docker.errors import DockerException

    try:
        with _api(host) as api:
            return of_container(api.stats(name, stream=False, one_shot=True))
    except (DockerException, UnusableEnvironment, OSError):
        return None


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
