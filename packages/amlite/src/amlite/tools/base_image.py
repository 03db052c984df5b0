"""A root file system to build images on if no image registry can be reached: Debian with Python 3.11."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
import urllib.error
import urllib.request
from pathlib import Path

from amlite.tools import debian, docker_engine
from amlite.tools.base import Task, Tool, ToolError, Unavailable, digest, tools_folder

SUITE = "bookworm"
"""The Debian release whose python3 is 3.11."""

PACKAGES = ("ca-certificates", "python3", "python3-pip", "python3-venv")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

_REGISTRY = "https://mcr.microsoft.com/v2/"
_SECONDS = 5.0
"""The timeout after which the registry counts as unreachable."""

_FIX = f"Run `debootstrap` by hand to see why, or set {docker_engine.SWITCH}=off."
_PREPARE = """\
set -eu
cp {certificates} "$1/etc/ssl/certs/ca-certificates.crt"
rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED
ln -sf python3 "$1/usr/bin/python"
printf '[global]\\ncert = /etc/ssl/certs/ca-certificates.crt\\n' > "$1/etc/pip.conf"
rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/* "$1"/usr/share/doc/* "$1"/usr/share/man/* \
    "$1"/usr/share/locale/* "$1"/var/log/*.log "$1"/var/log/bootstrap.log
tar --create --numeric-owner --one-file-system --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' \
    --directory "$1" --file "$2" .
"""
"""$1 is the root file system, $2 the archive. It contains the machine's certificates, which pip may need."""


def find() -> str | None:
    """See `Tool`: an uncompressed tar file for `docker import`."""
    archive = _archive()
    return str(archive) if archive is not None and archive.exists() else None


async def install(task: Task) -> str:
    """See `Tool`. The machine's own CA bundle is in it, and pip installs without `--break-system-packages`."""
    if await asyncio.to_thread(_registry_answers):
        raise Unavailable("not needed: the registry of base images answers", fix="Pull the image that you need.")
    why_not = debian.why_not()
    archive = _archive()
    if why_not is not None or archive is None:
        raise Unavailable(
            f"no registry of base images answers, and {why_not or f'{CERTIFICATES} is missing'}",
            fix="Pull or load the base image into the engine by hand.",
        )
    root, unfinished = archive.with_suffix(".root"), archive.with_suffix(".unfinished")
    if shutil.which("debootstrap") is None:
        await debian.install(task, ["debootstrap"])
    try:
        shutil.rmtree(root, ignore_errors=True)
        # In a separate mount namespace, so that debootstrap's mounts disappear with it.
        isolated = ["unshare", "--mount"] if shutil.which("unshare") else []
        include = f"--include={','.join(PACKAGES)}"
        await task.run(
            [*isolated, "debootstrap", "--variant=minbase", include, SUITE, root, *await _mirror(task)],
            fix=_FIX,
            environment={**os.environ, "LC_ALL": "C"},
            line=lambda line: task.say(line.removeprefix("I: ")[:50]),
        )
        task.say("packing")
        await task.run(["sh", "-c", _PREPARE.format(certificates=CERTIFICATES), "sh", root, unfinished], fix=_FIX)
        unfinished.replace(archive)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return str(archive)


def version(where: str) -> str:
    """See `Tool`."""
    del where
    return f"Debian {SUITE}"


def _archive() -> Path | None:
    if not CERTIFICATES.exists():
        return None
    parts = (SUITE, *PACKAGES, _PREPARE)
    recipe = digest(*(part.encode() for part in parts), CERTIFICATES.read_bytes())
    return tools_folder() / f"base-image-{SUITE}-{recipe}.tar"


async def _mirror(task: Task) -> list[str]:
    """Return the mirror that this machine uses for the suite, which can be a private one, or the default."""
    listing = ["apt-get", "indextargets", "--format", "$(REPO_URI)", f"Codename: {SUITE}", "Created-By: Packages"]
    try:
        lines = (await task.run(listing, fix="")).split()
    except ToolError:
        return []
    return [lines[0].rstrip("/")] if lines else []


def _registry_answers() -> bool:
    """Whether base images can be pulled. The check takes seconds, including name resolution and proxies."""
    answers: list[bool] = []

    def ask() -> None:
        try:
            with urllib.request.urlopen(_REGISTRY, timeout=_SECONDS) as response:
                answers.append(response.status == 200)
        except (urllib.error.URLError, OSError, ValueError):
            answers.append(False)

    thread = threading.Thread(target=ask, daemon=True, name="probe")
    thread.start()
    thread.join(_SECONDS)
    return any(answers)


TOOL = Tool(
    "base-image", "building images without a registry", find, install, version, needs=docker_engine.TOOL, optional=True
)
