"""A program to be run in an environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NotRequired, TypedDict


class Program(TypedDict):
    """The settings of a program besides its command line.

    `environment` is its whole environment, except for the variables that locate the interpreter. `folders` are the
    folders that it may change, and `inputs` those that it may only read. `ports` are the loopback ports that it
    reaches, besides amlite's proxy. `name` is the container's name. `shared_memory` is the size of a container's
    /dev/shm, as Docker takes it.
    """

    cwd: Path
    environment: Mapping[str, str]
    folders: Sequence[Path]
    inputs: Sequence[Path]
    ports: Sequence[int]
    name: str
    shared_memory: NotRequired[str]


def plain_http(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for a program in a network of its own, whose plain HTTP needs the proxy too.

    Package managers use it: a Debian mirror has no other scheme.
    """
    proxy = environment.get("HTTPS_PROXY")
    return {"HTTP_PROXY": proxy, "http_proxy": proxy} if proxy else {}
