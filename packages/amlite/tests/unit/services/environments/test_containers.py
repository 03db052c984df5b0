from __future__ import annotations

import os
import socket
import stat
import subprocess
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


SECRETS = {
    "TOKEN": "secret-value",
    # A job's own variables: none may mount a file, lead to a port, or reach the program that starts the container.
    "X_CA_BUNDLE": "/var/run/docker.sock",
    "SSL_CERT_FILE": "/etc/shadow",
    "HTTPS_PROXY": "http://127.0.0.1:22",
    "LD_PRELOAD": "/job/evil.so",
    "DOCKER_HOST": "tcp://elsewhere",
    "PATH": "/job/bin",
    "TWO": "first\nsecret-value",
    "LD_LIBRARY_PATH": "/job\n/evil",
    "docker_config": "/job\n/evil",
    "GODEBUG": "a\nb",
}


def run_of(state: Path, *, private: bool) -> tuple[list[str], dict[str, str], dict[str, str]]:
    """Return the command line of a container, its environment, and the variables inside."""
    engine = Engine("unix:///run/x", "/usr/bin/docker", private=private)
    container = Container(engine, state, IMAGE, "127.0.0.1:5/made/training", 4711)
    assert container.label == "container made.azurecr.io/training@sha256:0123456789ab"
    line, environment = container.command(
        ["python", "-m", "train"],
        cwd=Path("/work"),
        environment=SECRETS,
        folders=[Path("/state/job")],
        inputs=[Path("/state/cache/data")],
        ports=[],
        name="job-1",
    )
    file = Path(line[line.index("--env-file") + 1])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    return line, environment, dict(each.split("=", 1) for each in file.read_text().splitlines())


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("private", [True, False])
def test_a_container_is_run_as_this_user_and_marked_as_amlites_own(state: Path, private: bool) -> None:
    line, environment, inside = run_of(state, private=private)
    text = " ".join(line)
    assert f"--label amlite.owner={state}" in text
    assert f"--user {os.getuid()}:{os.getgid()}" in text
    # Its value is for the program, not for the process table.
    assert "secret-value" not in text
    assert inside["TOKEN"] == "secret-value"
    assert environment["DOCKER_HOST"] == "unix:///run/x"


@pytest.mark.parametrize("private", [True, False])
def test_no_variable_of_a_job_mounts_a_file_or_reaches_the_docker_client(state: Path, private: bool) -> None:
    line, environment, inside = run_of(state, private=private)
    certificates = [f"{state}/certificates/{each}" for each in ("bundle.pem", "wgetrc")]
    mounted = [line[at + 1] for at, part in enumerate(line) if part == "--volume"]
    known = [f"{each}:{each}:ro" for each in certificates]
    assert mounted == [*known, "/state/cache/data:/state/cache/data:ro", "/state/job:/state/job"]
    # Docker's client hands on what has several lines, unless it would read it itself.
    assert environment.keys() == {"PATH", "HOME", "DOCKER_CONFIG", "DOCKER_HOST", "TWO"}
    assert environment["PATH"] == os.environ["PATH"]
    assert {name: value for name, value in SECRETS.items() if "\n" not in value}.items() <= inside.items()
    named = [line[at + 1] for at, part in enumerate(line) if part == "--env"]
    assert named == ["GODEBUG=a\nb", "LD_LIBRARY_PATH=/job\n/evil", "TWO", "docker_config=/job\n/evil"]
    assert environment["TWO"] == "first\nsecret-value"


def test_a_container_of_the_private_daemon_reaches_the_proxy_and_no_other_port(state: Path) -> None:
    line, _, _ = run_of(state, private=True)
    docker = line.index("/usr/bin/docker")
    assert line[docker - 3 : docker] == ["", "4711", "job-1"]
    assert "--network none" in " ".join(line)
    assert line[-4:] == ["sh", "python", "-m", "train"]


def test_a_program_in_a_network_of_its_own_starts_when_the_proxy_can_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        script = containers._WAIT.format(port=f"{port:04X}")
        done = subprocess.run(
            ["sh", "-c", script, "sh", "echo", "a b"], capture_output=True, text=True, timeout=10, check=True
        )
        assert done.stdout == "a b\n"
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(["sh", "-c", script, "sh", "echo"], timeout=0.2, check=True)


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


@pytest.mark.attack
async def test_a_compute_without_an_identity_gets_no_image_that_others_pulled(platform: Platform) -> None:
    platform.store.put(*REGISTRY)
    with pytest.raises(UnusableEnvironment, match="the compute has no identity"):
        await containers.prepare(platform, IMAGE, silent, None)


@pytest.mark.attack
@pytest.mark.parametrize(
    "image",
    [
        "127.0.0.1:4712/made/training:1",
        "3f",
        "sha256:3f",
        "--privileged",
        "-v/:/x/../../debian",
        "Own/Training:1",
        "a b",
    ],
)
async def test_an_images_name_is_neither_an_option_nor_an_image_that_others_pulled(
    platform: Platform, image: str
) -> None:
    platform.store.put("settings/registry-port", "settings", {"port": 4712})
    with pytest.raises(
        UnusableEnvironment, match=r"not the name of an image|could be the id|names this machine's port"
    ):
        await containers.prepare(platform, image, silent, Principal("object", "client"))
