"""Steps as containers of a Docker engine."""

from __future__ import annotations

import codecs
import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import urlsplit

import docker
from docker.errors import APIError, DockerException, ImageNotFound

from pipeline_runner.errors import RunnerError
from pipeline_runner.step import Outcome, Say, Step

Credentials = Callable[[str], tuple[str, str] | None]
"""Returns user name and password for a registry, or None for a registry that needs none."""

RUN_LABEL = "tacos-burritos.run"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")


class DockerEngine:
    """A Docker engine: that of DOCKER_HOST, or the machine's own.

    Raises:
        RunnerError: No engine answers.
    """

    def __init__(self, credentials: Credentials, environment: Mapping[str, str] = os.environ) -> None:
        self._credentials = credentials
        try:
            self._client = docker.from_env(environment=dict(environment), timeout=600)
            self._client.ping()
            self._network = _network(environment, {each.name for each in self._client.networks.list()})
        except (DockerException, OSError) as error:
            where = environment.get("DOCKER_HOST") or "the default socket"
            raise RunnerError(
                f"no Docker engine answers at {where}: {error}\n"
                "      fix: start Docker, or run the steps as processes with --engine process"
            ) from error

    @property
    def label(self) -> str:
        """See `Engine`."""
        return f"containers of Docker {self._client.version()['Version']}"

    def prepare(self, image: str, say: Say) -> None:
        """Pull an image, unless the engine has it: by its digest, or as its own build of the same content (the tag)."""
        if self._known(image):
            return
        say(f"pulling {image}")
        server = image.partition("/")[0]
        known = self._credentials(server)
        login = {"username": known[0], "password": known[1]} if known else None
        try:
            self._client.images.pull(exact(image), auth_config=login)
        except DockerException as error:
            raise RunnerError(f"the image {image} cannot be pulled: {error}") from error

    def run(self, step: Step, line: Say) -> Outcome:
        """See `Engine`. The container is removed after its exit code is known, and not before."""
        try:
            container = self._client.containers.create(
                self._known(step.image),
                entrypoint=list(step.command[:1]),
                command=list(step.command[1:]),
                environment={"HOME": "/tmp", **step.environment},  # noqa: S108 - inside the container
                volumes=_volumes(step),
                user=f"{os.getuid()}:{os.getgid()}",
                labels={RUN_LABEL: step.run},
                network_mode=self._network,
                nano_cpus=int(step.cpus * 1e9) if step.cpus else None,
                mem_limit=step.memory,
                init=True,
            )
        except DockerException as error:
            raise RunnerError(f"{step.task}: the container cannot be created: {error}") from error
        try:
            container.start()
            for text in lines(container.logs(stream=True, follow=True)):
                line(text)
            code = int(container.wait()["StatusCode"])
            state = container.client.api.inspect_container(container.id)["State"]
            return Outcome(code, "it needed more memory than its limit" if state.get("OOMKilled") else "")
        except DockerException as error:
            raise RunnerError(f"{step.task}: the container cannot run: {error}") from error
        finally:
            with contextlib.suppress(APIError):
                container.remove(force=True, v=True)

    def _known(self, image: str) -> str | None:
        """Return the name by which the engine has an image, or None."""
        for name in (exact(image), image.partition("@")[0]):
            with contextlib.suppress(ImageNotFound):
                self._client.images.get(name)
                return name
        return None


def exact(image: str) -> str:
    """Return a reference without its tag if it has a digest: `a.io/b:1@sha256:…` becomes `a.io/b@sha256:…`."""
    name, at, digest = image.partition("@")
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}{at}{digest}" if at else image


def _volumes(step: Step) -> list[str]:
    """Return the mounts as Docker takes them. Files can only be read."""
    return [f"{source}:{inside}{'' if source.is_dir() else ':ro'}" for inside, source in step.mounts.items()]


def _network(environment: Mapping[str, str], networks: Iterable[str]) -> str | None:
    """Return the network of the containers: this machine's own if its proxy is here, or if there is no other."""
    proxies = (urlsplit(environment[name]).hostname for name in _PROXIES if environment.get(name))
    here = any(host in _LOOPBACK for host in proxies)
    return "host" if here or "bridge" not in set(networks) else None


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yield the lines of an output that arrives in pieces."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest = ""
    for chunk in chunks:
        *whole, rest = re.split(r"\r?\n", rest + decoder.decode(chunk))
        yield from whole
    if rest:
        yield rest
