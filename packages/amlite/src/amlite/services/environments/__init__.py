"""Azure ML environments on this machine: each becomes a virtual environment built by uv, or a Docker image.

Azure ML builds an image of every environment. In amlite, an existing image runs as a container. A conda file or a build
context becomes a virtual environment with its packages, without the base image.
"""

from amlite.services.environments.errors import UnusableEnvironment
from amlite.services.environments.preparation import Prepared, installed, is_image, packages_of, prepare
from amlite.services.environments.processes import VirtualEnvironment

__all__ = ["Prepared", "UnusableEnvironment", "VirtualEnvironment", "installed", "is_image", "packages_of", "prepare"]
