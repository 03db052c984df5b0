"""A root file system to build images on where no image registry is within reach: Debian with Python 3.11."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from bootstrap.debian import install_packages
from bootstrap.errors import SetupError
from bootstrap.files import digest
from bootstrap.phases import Task, which

SUITE = "bookworm"
"""The Debian release whose python3 is 3.11."""

PACKAGES = ("ca-certificates", "python3", "python3-pip", "python3-venv")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
FIX = "Run `debootstrap` by hand to see why, or set AZUREML_PLATFORM_DOCKER=off."

PREPARE = """\
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
"""$1 is the root file system, $2 the archive: the machine's certificates go in, for pip inside may need them."""


def base_image(task: Task) -> Path:
    """The archive, made once by debootstrap (root only).

    Returns:
        An uncompressed tar file for `docker import`; the machine's own CA bundle is in it, and pip installs
        into its Python without `--break-system-packages`.

    Raises:
        SetupError: debootstrap failed.
    """
    recipe = digest(SUITE, *PACKAGES, PREPARE, CERTIFICATES.read_bytes())
    archive = task.layout.cache / "base-image" / f"debian-{SUITE}-python-{recipe}.tar"
    if archive.exists():
        return archive
    root, unfinished = archive.with_suffix(".root"), archive.with_suffix(".unfinished")
    archive.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(root, ignore_errors=True)
    if which("debootstrap", task.layout) is None:
        install_packages(task, ["debootstrap"])
    # In a mount namespace of its own: what debootstrap mounts goes away with it, however it ends.
    isolated = ["unshare", "--mount"] if shutil.which("unshare") else []
    task.run(
        [*isolated, "debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, root, *mirror(task)],
        fix=FIX,
        environment={**os.environ, "LC_ALL": "C"},
        on_line=lambda line: task.detail(f"base image: {line.removeprefix('I: ')[:50]}"),
    )
    task.detail("base image: packing")
    task.run(["sh", "-c", PREPARE.format(certificates=CERTIFICATES), "sh", root, unfinished], fix=FIX)
    shutil.rmtree(root, ignore_errors=True)
    unfinished.replace(archive)
    return archive


def mirror(task: Task) -> list[str]:
    """The mirror this machine uses for the suite, so that a private one is honoured; else debootstrap's default."""
    listing = ["apt-get", "indextargets", "--format", "$(REPO_URI)", f"Codename: {SUITE}", "Created-By: Packages"]
    try:
        lines = task.run(listing, fix="").split()
    except SetupError:
        return []
    return [lines[0].rstrip("/")] if lines else []
