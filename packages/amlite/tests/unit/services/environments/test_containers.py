from __future__ import annotations

import os
from pathlib import Path

import pytest

from amlite.core.access import Principal
from amlite.core.platform import Platform
from amlite.services.environments import UnusableEnvironment, containers
from amlite.services.environments.containers import Container
from amlite.services.environments.engine import Engine

IMAGE = "made.azurecr.io/training@sha256:" + "0123456789ab" + "c" * 52
REGISTRY = (
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries/made",
    "Microsoft.ContainerRegistry/registries",
    {"name": "made"},
)


def silent(_line: str) -> None:
    """Drop a line."""


def test_a_container_is_run_as_this_user_and_marked_as_amlites_own() -> None:
    engine = Engine("unix:///run/x", "/usr/bin/docker", private=False)
    container = Container(engine, Path("/state"), IMAGE, "127.0.0.1:5/made/training")
    assert container.label == "container made.azurecr.io/training@sha256:0123456789ab"
    line, environment = container.command(
        ["python", "-m", "train"],
        cwd=Path("/work"),
        environment={"TOKEN": "secret-value", "SSL_CERT_FILE": "/state/ca.pem", "REQUESTS_CA_BUNDLE": "/state/ca.pem"},
        mounts={Path("/state/job"): Path("/work")},
        name="job-1",
    )
    text = " ".join(line)
    assert text.endswith("--workdir /work --entrypoint python 127.0.0.1:5/made/training -m train")
    assert "--label amlite.owner=/state" in text
    assert f"--user {os.getuid()}:{os.getgid()}" in text
    assert text.count("--volume /state/ca.pem:/state/ca.pem:ro") == 1
    assert "--volume /state/job:/work" in text
    # Its value is for the program, not for the process table.
    assert "--env TOKEN" in text
    assert "secret-value" not in text
    assert environment["TOKEN"] == "secret-value"
    assert environment["DOCKER_HOST"] == "unix:///run/x"


async def test_an_image_needs_an_engine(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMLITE_DOCKER", "off")
    with pytest.raises(UnusableEnvironment, match=r"amlite cannot run: turned off by AMLITE_DOCKER=off"):
        await containers.prepare(platform, "mcr.microsoft.com/azureml/curated:1", silent, None)


async def test_an_image_of_a_registry_that_is_not_there_is_refused(platform: Platform) -> None:
    with pytest.raises(UnusableEnvironment, match=r"registry 'made\.azurecr\.io', which does not exist"):
        await containers.prepare(platform, IMAGE, silent, None)


async def test_an_image_is_pulled_by_who_may(platform: Platform) -> None:
    platform.store.put(*REGISTRY)
    with pytest.raises(UnusableEnvironment, match="give it the role AcrPull on the container registry 'made'"):
        await containers.prepare(platform, IMAGE, silent, Principal("object", "client"))
