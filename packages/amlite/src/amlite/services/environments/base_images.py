"""Public base images that no registry provides here: their jobs run in a virtual environment of the same Python.

A Debian or Ubuntu image, an image of Python, and Microsoft's base images for Azure Machine Learning have a shell and
Python, and so has this machine.
"""

from __future__ import annotations

import re

from amlite.services.environments.packages import OWN_PYTHON, Packages

_HUB = (
    r"(?:(?:(?:docker\.io|index\.docker\.io|registry-1\.docker\.io)/)?(?:library/)?"
    r"|mcr\.microsoft\.com/mirror/docker/library/)"
)
_PYTHON = re.compile(rf"{_HUB}python(?::(?P<version>\d+\.\d+(?:\.\d+)?|2)?.*)?")
_SYSTEM = re.compile(rf"{_HUB}(?:ubuntu|debian)(?::.+)?")
_MICROSOFT = re.compile(
    r"mcr\.microsoft\.com/azureml/(?:openmpi|intelmpi|minimal-|base|inference-base|o16n-base)[^:]*(?::.+)?",
    re.IGNORECASE,
)
_MICROSOFTS_PYTHON = re.compile(r"-py(?P<major>3)(?P<minor>\d+)(?=[-:]|$)")


def packages(image: str) -> Packages | None:
    """Return what runs in place of a base image, or None if the image is not one."""
    name = image.partition("@")[0]
    if (found := _PYTHON.fullmatch(name)) is not None:
        return _base(found["version"] or OWN_PYTHON, image)
    if _MICROSOFT.fullmatch(name):
        found = _MICROSOFTS_PYTHON.search(name)
        return _base(f"{found['major']}.{found['minor']}" if found else OWN_PYTHON, image)
    if _SYSTEM.fullmatch(name):
        return _base(OWN_PYTHON, image)
    return None


def _base(python: str, image: str) -> Packages:
    return Packages(python, ("pip", "setuptools<81", "wheel"), f"the local base in place of {image}")
