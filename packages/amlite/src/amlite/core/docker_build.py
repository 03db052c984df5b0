"""Plan an image, build it on a Docker engine, and push it."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import stat
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import docker
from docker.errors import APIError, DockerException, ImageNotFound
from docker.utils.build import exclude_paths
from urllib3.exceptions import HTTPError

from amlite.core.built_images import BuiltImage, Repository
from amlite.core.wire import Json

SUBSTITUTE_LABEL = "org.opencontainers.image.base.substitute"
"""The label of an image that was built on a substitute for the base in its Dockerfile. The value is the base's name."""
_ARGUMENT = re.compile(
    r"(?<![^ \t])(?P<name>\w+)(?:=(?P<value>\"[^\"\\]*\"|'[^'\\]*'|[^\"'\\ \t]*))?(?:[ \t]+|$)", re.ASCII
)
_COPY = re.compile(r"(COPY|ADD)\s|RUN\s+--mount", re.IGNORECASE)
_CONTINUES = re.compile(r"\\[ \t]*$")
_ESCAPE = re.compile(r"(?:\s*#.*\n)*?\s*#[ \t]*escape[ \t]*=[ \t]*[^\\\s]", re.IGNORECASE)
# Docker takes some of them for spaces, and each version others.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_QUOTES = re.compile("[\"']")
_MOST_BYTES = 256 << 10  # of a Dockerfile, which is read by lines and patterns
_STEP = re.compile(r"Step (?P<number>\d+)/\d+ : ")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

Say = Callable[[str], None]


class BuildError(Exception):
    """The image cannot be built or pushed. The message names the step and contains Docker's error."""


@dataclass(frozen=True)
class Plan:
    """A build: context folder, Dockerfile (path), build arguments, target stage, platform, hosts and network."""

    context: Path
    dockerfile: Path
    arguments: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None
    platform: str | None = None
    hosts: tuple[str, ...] = ()
    network: str | None = None

    @classmethod
    def of(cls, build: Mapping[str, Any], project: Path) -> Plan:
        """Read the resource's `build` input. Paths are relative to the Pulumi project.

        Raises BuildError if the context or the Dockerfile does not exist.
        """
        context = project / (build.get("context") or ".")
        dockerfile = project / build["dockerfile"] if build.get("dockerfile") else context / "Dockerfile"
        if not context.is_dir():
            raise BuildError(f"build.context: there is no folder {context}")
        if not dockerfile.is_file():
            raise BuildError(f"build.dockerfile: there is no file {dockerfile}")
        for text in (dockerfile, context / ".dockerignore"):
            if text.is_file() and text.stat().st_size > _MOST_BYTES:
                raise BuildError(f"{text.name} has more than {_MOST_BYTES >> 10} KB")
        return cls(
            context=context,
            dockerfile=dockerfile,
            arguments=build.get("args") or {},
            target=build.get("target"),
            platform=build.get("platform"),
            hosts=tuple(build.get("addHosts") or ()),
            network=build.get("network"),
        )

    def digest(self) -> str:
        """Return a hash of the Dockerfile and of every file that the daemon gets: names, executable bits and content.

        Owners, times, and files that `.dockerignore` excludes do not count.
        """
        found = hashlib.sha256(self.dockerfile.read_bytes())
        for name in sorted(self.files()):
            path = self.context / name
            mode = path.lstat().st_mode
            if path.is_symlink():
                content = b"link " + str(path.readlink()).encode()
            elif path.is_file():
                with path.open("rb") as file:
                    kind = b"program " if mode & stat.S_IXUSR else b"file "
                    content = kind + hashlib.file_digest(file, "sha256").digest()
            else:
                continue
            found.update(f"\0{name}\0{len(content)}\0".encode() + content)
        return found.hexdigest()

    def key(self, substitute: str) -> str:
        """Return the key of a build: all that the daemon gets, and the substitute for a base that cannot be pulled."""
        parts = [self.digest(), sorted(self.arguments.items()), self.target, self.platform, self.hosts, substitute]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def files(self) -> set[str]:
        """Return the relative paths of the context's files that `.dockerignore` does not exclude."""
        ignore = self.context / ".dockerignore"
        lines = ignore.read_text("utf-8-sig", "replace").splitlines() if ignore.is_file() else []
        patterns = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
        return set(exclude_paths(str(self.context), patterns))

    def instructions(self, *, joins_words: bool = False) -> list[str]:
        """Return the instructions of the Dockerfile as Docker reads them: each in one line, and no comments.

        With `joins_words`, a continued line begins where its text does, as for Docker's first versions.
        Raises BuildError for what Docker might read in another way.
        """
        text = self.dockerfile.read_bytes().decode("utf-8-sig", "replace").replace("\r\n", "\n")
        if _ESCAPE.match(text) is not None:
            raise BuildError("the Dockerfile has the directive 'escape', which is for images of Windows")
        if _CONTROL.search(text) is not None:
            raise BuildError("the Dockerfile contains control characters: remove them")
        found, begun = [], ""
        for line in text.split("\n"):
            if not (shown := line.lstrip(" \t")) or shown.startswith("#"):
                continue
            begun += _CONTINUES.sub("", shown if joins_words else line)
            if _CONTINUES.search(line) is None:
                found.append(begun.strip(" \t"))
                begun = ""
        return [*found, *filter(None, [begun.strip(" \t")])]

    def start(self) -> list[str]:
        """Return the first instructions of the Dockerfile, up to the one that copies a file of the context."""
        return list(itertools.takewhile(lambda each: _COPY.match(each) is None, self.instructions()))

    def bases(self) -> list[str]:
        """Return the external base images of the Dockerfile's stages. Raises BuildError for a malformed `FROM`."""
        arguments: dict[str, str] = {}
        stages: set[str] = set()
        found: list[str] = []
        for line in self.instructions():
            keyword, *words = line.replace("\t", " ").split(" ")
            match keyword.upper():
                case "ARG" if not stages:  # those after a FROM are not for base images
                    arguments |= self._given(line)
                case "FROM":
                    image, stage = _from(line, [word for word in words if word])
                    image = _QUOTES.sub("", _expand(image, arguments))
                    if image.lower() not in stages | {"scratch"} and image not in found:
                        found.append(image)
                    stages.add(stage.lower())
        return found

    def _given(self, line: str) -> dict[str, str]:
        """Return the values of the arguments that an `ARG` declares."""
        rest = line[len("ARG") :].strip(" \t")
        found = list(_ARGUMENT.finditer(rest))
        if "".join(each[0] for each in found) != rest:
            raise BuildError(f"the Dockerfile has the instruction '{line}', whose arguments are not known")
        declared = {each["name"]: _QUOTES.sub("", each["value"] or "") for each in found}
        return {name: self.arguments.get(name, value) for name, value in declared.items()}


def _from(line: str, words: list[str]) -> tuple[str, str]:
    """Return the image and the name of the stage of a `FROM`."""
    image, *rest = list(itertools.dropwhile(lambda word: word.startswith("--"), words)) or [""]
    if "\\" in line or not image or (rest and (len(rest) != 2 or rest[0].upper() != "AS")):
        raise BuildError(f"the Dockerfile has the instruction '{line}': write FROM IMAGE, or FROM IMAGE AS STAGE")
    return image, rest[1] if rest else ""


def _expand(text: str, arguments: Mapping[str, str]) -> str:
    return re.sub(
        r"\$(?:\{(\w+)(?::-([^}]*))?\}|(\w+))",
        lambda match: arguments.get(match[1] or match[3]) or match[2] or "",
        text,
    )


class Turn:
    """The right to run the first instructions of a Dockerfile, which ends with `pass_on` or with the block.

    Builds that start with the same instructions take turns: the first one runs them, and the engine has their layers
    when the others ask. At the same time, each would run them, because the engine does not see that they are the same.
    """

    _locks: ClassVar[defaultdict[str, threading.Lock]] = defaultdict(threading.Lock)
    _choosing = threading.Lock()

    def __init__(self, plan: Plan, engine: str) -> None:
        """Find the turn of a build on an engine. `steps` is the number of its first instructions."""
        self.steps = len(start := plan.start())
        build = (engine, plan.platform, sorted(plan.arguments.items()), start)
        with self._choosing:
            self._lock = self._locks[repr(build)]
        self._has_it = False

    def __enter__(self) -> Self:
        """Wait for the turn."""
        self._lock.acquire()
        self._has_it = True
        return self

    def __exit__(self, *_: object) -> None:
        """End the turn."""
        self.pass_on()

    def pass_on(self) -> None:
        """Let the next build begin. A second call does nothing."""
        if self._has_it:
            self._has_it = False
            self._lock.release()


class _Lines:
    """Splits the output of a build, which arrives in chunks, into lines. `last` has the latest fifteen."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._rest = ""
        self.last: deque[str] = deque(maxlen=15)

    def feed(self, text: str) -> None:
        *lines, self._rest = (self._rest + _COLOUR.sub("", text)).split("\n")
        for line in lines:
            if line.strip():
                self._say(line.rstrip())
                self.last.append(line.rstrip())


@contextmanager
def _step(name: str) -> Iterator[None]:
    """Let what the engine or the connection to it raises be a BuildError."""
    try:
        yield
    except (DockerException, HTTPError, OSError) as error:
        raise BuildError(f"docker {name} failed: {getattr(error, 'explanation', None) or error}") from error


class Builder:
    """Builds and pushes on one engine.

    `substitute` returns a root file system for a base image that cannot be pulled. It raises BuildError if it has none.
    """

    def __init__(self, host: str, *, substitute: Callable[[], Path] | None = None, host_network: bool = False) -> None:
        """Connect to the engine at `host` (a value of DOCKER_HOST). Raises BuildError if no engine answers."""
        self._host = host
        self._substitute = substitute
        self._network = "host" if host_network else None
        try:
            self._api = docker.APIClient(base_url=host, version="auto", timeout=3600)
        except DockerException as error:
            raise BuildError(f"no Docker engine answers at {host}: {error}") from error

    def __enter__(self) -> Self:
        """Return the builder."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._api.close()

    @_step("build")
    def build(self, plan: Plan, name: str, say: Say, warn: Say) -> str:
        """Build the image `name`, report each line of the output, and return the image's id."""
        for base in plan.bases():
            self._provide(base, plan.platform, say, warn)
        # A Dockerfile outside the context is passed by its absolute path.
        inside = plan.dockerfile.resolve().is_relative_to(plan.context.resolve())
        dockerfile = (
            plan.dockerfile.resolve().relative_to(plan.context.resolve()) if inside else plan.dockerfile.resolve()
        )
        with Turn(plan, self._host) as turn:
            stream = self._api.build(
                path=str(plan.context),
                dockerfile=str(dockerfile),
                tag=name,
                buildargs=dict(plan.arguments),
                target=plan.target or "",
                platform=plan.platform,
                network_mode=plan.network or self._network,
                extra_hosts=dict(entry.split(":", 1) for entry in plan.hosts),
                rm=True,
                forcerm=True,
                decode=True,
            )
            lines = _Lines(say)
            for event in stream:
                text = str(event.get("stream", ""))
                if (step := _STEP.match(text)) is not None and int(step["number"]) > turn.steps:
                    turn.pass_on()
                lines.feed(text)
                if "error" in event:
                    raise BuildError("\n".join([f"docker build failed: {event['error']}", *lines.last]))
        return str(self._inspect(name)["Id"])

    @_step("push")
    def push(self, name: str, reached_as: str, credentials: tuple[str, str] | None, say: Say) -> str:
        """Push the image `name` under the address at which the engine reaches its registry. Return the digest."""
        repository, tag = split_tag(reached_as)
        authorization = {"username": credentials[0], "password": credentials[1]} if credentials else None
        digest = last = ""
        self._api.tag(name, repository, tag, force=True)
        try:
            for event in self._api.push(repository, tag=tag, stream=True, decode=True, auth_config=authorization):
                if "error" in event:
                    raise BuildError(f"docker push of {name} failed: {event['error']}")
                line = f"push: {event.get('id', '')} {event.get('status', '')}"
                if "status" in event and line != last:
                    say(line)
                    last = line
                digest = event.get("aux", {}).get("Digest", digest)
        finally:
            if reached_as != name:
                with suppress(ImageNotFound):  # an update that was killed can still push the same image
                    self._api.remove_image(f"{repository}:{tag}", noprune=True)
        if not digest:
            raise BuildError(f"docker push of {name} ended without a digest")
        return digest

    def take(self, name: str, image: BuiltImage, repository: Repository) -> bool:
        """Give the engine an image of a repository as `name`. Return False if it cannot be pulled."""
        username, password = repository.credentials
        login = {"username": username, "password": password}
        try:
            if not self._has(image.id):
                reference = f"{repository.name}@{image.digest}"
                for event in self._api.pull(reference, stream=True, decode=True, auth_config=login):
                    if "error" in event:
                        return False
            self._api.tag(image.id, *split_tag(name), force=True)
        except DockerException:
            return False
        return True

    def _has(self, image: str) -> bool:
        try:
            self._api.inspect_image(image)
        except ImageNotFound:
            return False
        return True

    def substituted(self, image: str) -> str | None:
        """Return the base image for which a substitute was used, or None."""
        labels = self._inspect(image)["Config"].get("Labels") or {}
        value = labels.get(SUBSTITUTE_LABEL)
        return str(value) if value else None

    def _provide(self, base: str, platform: str | None, say: Say, warn: Say) -> None:
        """Ensure that the engine has a base image: pull it, or import the substitute under its name."""
        try:
            labels = self._api.inspect_image(base)["Config"].get("Labels") or {}
            if SUBSTITUTE_LABEL in labels:
                warn(substitute_used(base))
            return
        except ImageNotFound:
            say(f"pulling {base}")
        repository, tag = split_tag(base)
        try:
            for event in self._api.pull(repository, tag=tag, platform=platform, stream=True, decode=True):
                if "error" in event:
                    raise BuildError(str(event["error"]))
            return
        except (APIError, BuildError) as error:
            reason = str(getattr(error, "explanation", None) or error).strip()
            if self._substitute is None:
                raise BuildError(f"cannot pull {base}: {reason}") from error
        try:
            root = self._substitute()
        except BuildError as error:
            raise BuildError(f"cannot pull {base}: {reason}\n{error}") from error
        warn(f"{base} cannot be reached ({reason}): the image is built on the local Debian base instead")
        changes = [f"ENV {_PATH}", 'CMD ["bash"]', f"LABEL {SUBSTITUTE_LABEL}={base}"]
        self._api.import_image_from_file(str(root), repository=repository, tag=tag, changes=changes)

    def _inspect(self, image: str) -> Json:
        try:
            found: Json = self._api.inspect_image(image)
        except APIError as error:
            raise BuildError(f"the engine does not know the image {image}: {error.explanation}") from error
        return found


def substitute_used(base: str) -> str:
    """Return the warning about an image on a substitute for its base."""
    return f"{base} cannot be reached: the image is built on the local Debian base instead"


def split_tag(name: str) -> tuple[str, str]:
    """Return the repository and the tag of an image's name. The default tag is `latest`."""
    repository, colon, tag = name.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (name, "latest")
