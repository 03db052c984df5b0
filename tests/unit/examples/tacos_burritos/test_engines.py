"""What runs the steps: the choices of the Docker engine, and processes. tests/long has the containers themselves."""

import sys
from pathlib import Path

import pytest
from pipeline_runner.containers import DockerEngine, _network, exact, lines
from pipeline_runner.errors import RunnerError
from pipeline_runner.machine import signed_in, variables
from pipeline_runner.processes import ProcessEngine
from pipeline_runner.step import Outcome, Step

DIGEST = "sha256:" + "a" * 64


def step(*command: str, **mounts: Path) -> Step:
    places = {f"/mnt/{name}": path for name, path in mounts.items()}
    return Step("bake", "run-1", "cr.azurecr.io/environments/bake:1", command, {"SAUCE": "/mnt/disk/hot"}, places)


def test_without_an_engine_the_error_says_what_to_do() -> None:
    with pytest.raises(RunnerError, match=r"no Docker engine answers at tcp://127\.0\.0\.1:1:(?s:.*)--engine process"):
        DockerEngine(lambda _: None, {"DOCKER_HOST": "tcp://127.0.0.1:1"})


@pytest.mark.parametrize(
    ("image", "found"),
    [
        (f"cr.azurecr.io/environments/bake:1@{DIGEST}", f"cr.azurecr.io/environments/bake@{DIGEST}"),
        (f"localhost:5000/bake:1@{DIGEST}", f"localhost:5000/bake@{DIGEST}"),
        (f"localhost:5000/bake@{DIGEST}", f"localhost:5000/bake@{DIGEST}"),
        ("localhost:5000/bake:1", "localhost:5000/bake:1"),
    ],
)
def test_an_image_is_pulled_by_its_digest(image: str, found: str) -> None:
    assert exact(image) == found


def test_containers_get_this_machines_network_only_where_they_need_it() -> None:
    assert _network({}, ["bridge", "host"]) is None
    assert _network({"HTTPS_PROXY": "http://proxy.contoso.com:80"}, ["bridge", "host"]) is None
    assert _network({"HTTPS_PROXY": "http://127.0.0.1:80"}, ["bridge", "host"]) == "host"
    assert _network({}, ["host", "none"]) == "host"


def test_output_in_pieces_becomes_lines() -> None:
    pieces = [b"one\ntw", "o\r\nburrit\u00f3".encode()[:-1], "\u00f3 end".encode()[1:]]
    assert list(lines(pieces)) == ["one", "two", "burrit\u00f3 end"]


def test_a_process_gets_the_folders_of_this_machine_in_place_of_the_containers_paths(tmp_path: Path) -> None:
    folder = tmp_path / "steps" / "bake"
    folder.mkdir(parents=True)
    (folder / "requirements.txt").write_text("")
    (folder / "bake.py").write_text("import os, sys; print(sys.argv[1], os.environ['SAUCE']); sys.exit(3)")
    engine = ProcessEngine(tmp_path / "steps", tmp_path / "cache")
    said: list[str] = []
    printed: list[str] = []
    bake = step("python", "/app/bake.py", "/mnt/disk/taco", disk=tmp_path)
    engine.prepare(bake.image, said.append)
    engine.prepare(bake.image, said.append)
    assert said == ["installing the packages of bake"]
    assert engine.run(bake, printed.append) == Outcome(3)
    assert printed == [f"{tmp_path}/taco {tmp_path}/hot"]


def test_an_image_without_a_folder_needs_docker(tmp_path: Path) -> None:
    with pytest.raises(RunnerError, match=r"the image .*bake:1 has no folder .* so it needs Docker"):
        ProcessEngine(tmp_path, tmp_path).prepare("cr.azurecr.io/environments/bake:1", print)


def test_packages_that_cannot_be_installed_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "bake").mkdir()
    (tmp_path / "bake" / "requirements.txt").write_text("./nothing-here\n")
    with pytest.raises(RunnerError, match="the packages of bake cannot be installed"):
        ProcessEngine(tmp_path, tmp_path / "cache").prepare("image://bake", lambda _: None)
    assert not list((tmp_path / "cache").glob("*"))


def test_steps_get_the_proxy_and_the_certificates_that_are_there(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.touch()
    found, files = variables(
        {"HTTPS_PROXY": "http://proxy", "SSL_CERT_FILE": str(bundle), "CURL_CA_BUNDLE": "/gone.pem", "HOME": "/root"}
    )
    assert found == {"HTTPS_PROXY": "http://proxy", "SSL_CERT_FILE": str(bundle)}
    assert files == {str(bundle): bundle}


def test_a_person_cannot_lend_an_identity_to_a_step() -> None:
    with pytest.raises(RunnerError, match="sign in to Azure as a service principal: set AZURE_TENANT_ID"):
        signed_in({"AZURE_CLIENT_ID": "me"})
    assert signed_in({"AZURE_CLIENT_ID": "me", "AZURE_CLIENT_SECRET": "x"}).files == {}
    federated = signed_in({"AZURE_CLIENT_ID": "me", "AZURE_FEDERATED_TOKEN_FILE": sys.executable})
    assert federated.files == {sys.executable: Path(sys.executable)}
