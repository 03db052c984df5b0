"""From a registered environment version to something that runs programs."""

from __future__ import annotations

import asyncio
import codecs
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol, Unpack

from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.environments import base_images, confinement, containers, curated, virtual_environment
from amlite.services.environments.errors import UnreachableImage, UnusableEnvironment
from amlite.services.environments.packages import Packages, from_conda, from_context
from amlite.services.environments.processes import VirtualEnvironment
from amlite.services.environments.program import Program
from amlite.services.environments.usage import Usage
from amlite.services.machinelearning import datastores, image_builds
from amlite.services.storage import blobs

Log = Callable[[str], None]
_LARGEST_CONTEXT_FILE = 1 << 20


@dataclass
class _Known:
    """The packages of environment versions, by entity tag."""

    packages: dict[str, Packages] = field(default_factory=dict)


class Prepared(Protocol):
    """An environment that is ready to run programs."""

    @property
    def kind(self) -> Literal["process", "container"]:
        """The way programs run."""

    @property
    def keeps_inputs(self) -> bool:
        """Whether programs cannot change their inputs, which other jobs read too."""

    @property
    def label(self) -> str:
        """A description for people: `Python 3.11 venv from conda.yml`, `container <image>`."""

    def command(self, argv: Sequence[str], **program: Unpack[Program]) -> tuple[list[str], dict[str, str]]:
        """Return the command line and its whole environment for `Children.spawn`/`ensure`."""

    async def usage(self, name: str, pid: int) -> Usage | None:
        """Return what the program of that name uses, whose child is `pid`, or None if that is not known."""

    async def stop(self, name: str) -> None:
        """End the container of that name; for processes nothing is left to do once the child has been ended."""


async def prepare(
    platform: Platform,
    environment_id: str,
    log: Log,
    *,
    principal: Principal | None = None,
    substitute: bool = False,
) -> Prepared:
    """Make an environment version (its ARM id) ready, building it on first use; later calls cost milliseconds.

    `principal` pulls the image if it is in a registry, and needs AcrPull there. With `substitute`, a virtual
    environment takes the place of a public base image that is out of reach.

    Raises AzureError 404 when there is no such environment, `ImageBuildFailure` when its workspace cannot build images,
    and UnusableEnvironment when it cannot run here.
    """
    if name := curated.name_of(_document(platform, environment_id).body["properties"]):
        found = curated.packages(name)
        where = "on this machine in a virtual environment of its packages"
        log(f"The curated environment {name} runs {where}.{curated.note(found)}")
        return await installed(platform, found, log)
    if is_image(platform, environment_id):
        image = str(_document(platform, environment_id).body["properties"].get("image") or "")
        try:
            return await containers.prepare(platform, image, log, principal)
        except UnreachableImage as error:
            if (base := base_images.packages(image)) is None or not substitute:
                raise
            log(f"{error}\nThe job runs in a virtual environment of Python {base.python} on this machine instead.")
            return await installed(platform, base, log)
    if (workspace_id := _workspace_of(environment_id)) is not None:
        image_builds.require(platform, workspace_id)
    return await installed(platform, await packages_of(platform, environment_id), log)


def is_image(platform: Platform, environment_id: str) -> bool:
    """Whether an environment version is an image and nothing else, so that its programs run in containers."""
    properties = _document(platform, environment_id).body["properties"]
    return not properties.get("condaFile") and not properties.get("build") and curated.name_of(properties) is None


async def packages_of(platform: Platform, environment_id: str) -> Packages:
    """Return the packages that an environment version adds to its base image; raises as `prepare` does."""
    document = _document(platform, environment_id)
    known = platform.part(_Known).packages
    found = known.get(document.etag)
    if found is None:
        found = known[document.etag] = await _packages(platform, document)
    return found


async def installed(platform: Platform, packages: Packages, log: Log) -> VirtualEnvironment:
    """Return a virtual environment of these packages, built on first use; raises UnusableEnvironment."""
    folder = await virtual_environment.ensure(platform, packages, log)
    confined = await confinement.of(platform)
    if confined is None:
        log("the program can read your files and reach this machine's ports: no namespaces here (docs/security.md)")
    return VirtualEnvironment(folder, f"Python {packages.python} venv from {packages.source}", confined)


def _workspace_of(environment_id: str) -> str | None:
    """Return the workspace of an environment version, or None if it is in a registry."""
    id = ResourceId.parse(environment_id)
    return str(replace(id, segments=id.segments[:2])) if id is not None else None


def _document(platform: Platform, environment_id: str) -> Document:
    document = platform.store.get(environment_id)
    if document is None:
        raise AzureError(404, "UserError", f"The environment '{environment_id}' was not found.")
    return document


async def _packages(platform: Platform, document: Document) -> Packages:
    properties: Json = document.body["properties"]
    if name := curated.name_of(properties):
        return curated.packages(name)
    if conda := properties.get("condaFile"):
        return from_conda(conda, "the conda file")
    uri = str((properties.get("build") or {}).get("contextUri") or "")
    with tempfile.TemporaryDirectory(prefix="amlite-context-") as folder:
        await download_context(platform, document.id, uri, Path(folder))
        return from_context(await asyncio.to_thread(_texts, Path(folder)))


async def download_context(platform: Platform, environment_id: str, uri: str, folder: Path) -> None:
    """Download the build context of an environment version, which its workspace must be able to read.

    Raises UnusableEnvironment.
    """
    context = blobs.BlobPath.parse(uri)
    if context is None:
        raise UnusableEnvironment(
            f"the build context '{uri}' is not a folder in blob storage; upload it with the environment"
        )
    try:
        if (workspace_id := _workspace_of(environment_id)) is not None:  # a registry has its contexts itself
            await datastores.require(platform, workspace_id, context, None)
        await blobs.download_tree(platform, context, folder)
    except AzureError as error:
        raise UnusableEnvironment(f"the build context cannot be read: {error.message}") from error


def _decoded(content: bytes) -> str:
    """Return the text of a file as pip and conda read it: UTF-8, or what its byte order mark says."""
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if wide else "utf-8-sig", "replace")


def _texts(folder: Path) -> dict[str, str]:
    """Return the small files of a folder, by their paths in it."""
    return {
        path.relative_to(folder).as_posix(): _decoded(path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and path.stat().st_size <= _LARGEST_CONTEXT_FILE
    }
