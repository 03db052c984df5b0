"""Checks that the images of environments can be built, by Docker here or by Azure Machine Learning."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping

from release.doctor.findings import Finding, ok, problem
from release.doctor.subject import Subject

_SOCKET = "/var/run/docker.sock"
_SECONDS = 10


def check(subject: Subject) -> Iterator[Finding]:
    """Ask Docker if the stack builds an image."""
    if not subject.settings.image.build:
        yield ok(f"Azure Machine Learning builds the images on cluster {subject.settings.compute[0].name}")
    elif not any(asset.build for asset in subject.catalogue.of("environment")):
        yield ok("no environment has an image to build")
    elif "docker:" in subject.environment.get("PULUMI_DEBUG_PROVIDERS", ""):
        yield ok("the attached Docker provider builds the images")
    else:
        reason = _unreachable(subject.environment)
        if reason is None:
            yield ok("Docker answers")
            return
        yield problem(
            f"Docker does not answer: {reason}",
            "The update builds the images of environments with Docker.",
            f"start Docker, or pulumi config set --path azureml-platform:image.build false -s {subject.stack}",
        )


def _unreachable(environment: Mapping[str, str]) -> str | None:
    """Return why Docker cannot be used, or None. Without the `docker` command, which knows contexts, try the socket."""
    program = shutil.which("docker", path=environment.get("PATH"))
    address = environment.get("DOCKER_HOST", f"unix://{_SOCKET}")
    if program is None and address.startswith("unix://"):
        return _ping(address.removeprefix("unix://"))
    if program is None:
        return f"there is no program `docker` to ask {address}"
    try:
        done = subprocess.run(
            [program, "version", "--format", "{{.Server.Version}}"],
            capture_output=True, text=True, check=False, timeout=_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"no answer in {_SECONDS} s"
    lines = done.stderr.strip().splitlines()
    return None if done.returncode == 0 else (lines[-1] if lines else f"`docker version` ended with {done.returncode}")


def _ping(path: str) -> str | None:
    connection = http.client.HTTPConnection("docker", timeout=_SECONDS)  # a name for the header only
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.settimeout(_SECONDS)
    try:
        connection.sock.connect(path)
        connection.request("GET", "/_ping")
        status = connection.getresponse().status
    except OSError as error:
        return f"{path}: {error.strerror or error}"
    finally:
        connection.close()
    return None if status == http.client.OK else f"{path} answered {status}"
