from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from amlite import SUBSCRIPTION_ID
from amlite.core.access import Principal
from amlite.core.docker_build import Plan
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.services.containerregistry.types import REGISTRY_TYPE
from amlite.services.environments import UnusableEnvironment
from amlite.services.environments.containers import Container
from amlite.services.environments.engine import Engine
from amlite.services.machinelearning.references import WORKSPACE_TYPE
from amlite.services.serving import custom

ROUTES = {
    "livenessRoute": {"path": "/live", "port": 8501},
    "readinessRoute": {"path": "ready", "port": 8501},
    "scoringRoute": {"path": "/v1/models/half:predict", "port": 8501},
}
WHO = Principal("object", "client")
ENVIRONMENT = {"X_CA_BUNDLE": "/var/run/docker.sock", "HTTPS_PROXY": "http://127.0.0.1:22", "SECRET": "hidden"}


@pytest.fixture(autouse=True)
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the private folder with the test's files."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def image(**changes: Any) -> custom.Image:
    found = custom.of({"image": "tf/serving:2", "inferenceConfig": {**ROUTES, **changes}})
    assert found is not None
    return found


def line_of(folder: Path, *, private: bool) -> list[str]:
    engine = Engine("unix:///run/x", "/usr/bin/docker", private=private)
    container = Container(engine, folder, "tf/serving:2", "tf/serving:2", 4711)
    place = Path("/private/http.sock") if private else 40001
    line, _ = custom.command(
        container, image(), name="serving-1", folder=folder, place=place, environment=ENVIRONMENT, ports=[4712]
    )
    assert "hidden" not in " ".join(line)
    assert "SECRET=hidden" in Path(line[line.index("--env-file") + 1]).read_text()
    return line


def test_routes_say_where_a_container_answers() -> None:
    found = image()
    assert (found.port, found.liveness, found.readiness) == (8501, "/live", "/ready")
    assert found.path("/score?a=1") == "/v1/models/half:predict?a=1"
    assert found.path("/v1/models/half/metadata") == "/v1/models/half/metadata"
    assert custom.Image(**found.json()) == found
    assert custom.of({"image": "tf/serving:2"}) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"readinessRoute": None}, "readinessRoute: path and port are required"),
        ({"livenessRoute": {"path": "/live"}}, "livenessRoute: path and port are required"),
        ({"scoringRoute": {"path": "/score", "port": 80}}, "at one port"),
    ],
)
def test_routes_that_cannot_be_served_are_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(AzureError, match=reason):
        image(**changes)


def test_an_engine_of_the_machine_publishes_the_port(tmp_path: Path) -> None:
    (tmp_path / "azureml-models").mkdir()
    line = " ".join(line_of(tmp_path, private=False))
    assert f"/usr/bin/docker run --rm --name serving-1 --label amlite.owner={tmp_path}" in line
    assert "--publish 127.0.0.1:40001:8501" in line
    assert f"--volume {tmp_path}/azureml-models:/var/azureml-app/azureml-models:ro" in line
    assert "docker.sock" not in line
    assert line.endswith("tf/serving:2")  # its own user and start command


def test_the_private_daemon_gives_each_container_a_network(tmp_path: Path) -> None:
    line = line_of(tmp_path, private=True)
    at = line.index("/usr/bin/docker")
    assert line[at - 3 : at] == ["/private/http.sock:8501", "4712,4711", "serving-1"]
    assert "--network none" in " ".join(line[at:])


async def test_without_an_engine_the_reason_and_the_way_out_are_said(
    monkeypatch: pytest.MonkeyPatch, platform: Platform
) -> None:
    monkeypatch.setenv("AMLITE_DOCKER", "off")
    with pytest.raises(UnusableEnvironment, match=r"or an MLflow model needs none: turned off by AMLITE_DOCKER=off"):
        await custom.prepare(platform, image(), "/e", Principal("object", "client"), lambda _: None)


@pytest.mark.attack
@pytest.mark.parametrize("path", ["/root/.netrc", "../../.netrc", "a/../../b"])
def test_a_dockerfile_is_inside_its_context(path: str) -> None:
    with pytest.raises(AzureError, match="must be inside the context"):
        custom.of({"build": {"contextUri": "https://a", "dockerfilePath": path}, "inferenceConfig": ROUTES})


@pytest.mark.attack
async def test_a_context_is_one_that_the_workspace_may_read(platform: Platform) -> None:
    group = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/g/providers"
    workspace = f"{group}/{WORKSPACE_TYPE}/w"
    own = {"id": workspace, "properties": {"storageAccount": f"{group}/Microsoft.Storage/storageAccounts/own"}}
    platform.store.put(workspace, WORKSPACE_TYPE, own)
    context = "https://others.blob.core.windows.net/secrets/folder/"
    found = custom.of({"build": {"contextUri": context}, "inferenceConfig": ROUTES})
    assert found is not None
    engine = Engine("unix:///run/x", "/usr/bin/docker", private=True)
    with pytest.raises(UnusableEnvironment, match="the build context cannot be read: The workspace may not read"):
        await custom._built(platform, engine, found, f"{workspace}/environments/e/versions/1", WHO, lambda _: None)


FOREIGN = "this machine's port"


@pytest.mark.attack
@pytest.mark.parametrize(
    ("dockerfile", "said"),
    [
        ("FROM debian:12\nRUN true\n", None),
        ("ARG V=12\nFROM debian:${V}\nRUN echo $HOME\n", None),
        ("FROM debian AS one\nFROM debian\nCOPY --from=one / /\nCOPY --from=0 / /\n", None),
        ("FROM 3f\n", "could be the id of an image"),
        ("FROM debian\nCOPY --from=3f / /\n", "could be the id of an image"),
        ("FROM made.azurecr.io/training:1\n", "may not pull"),
        ("ARG R=made.azurecr.io\nFROM ${R}/training:1\n", "may not pull"),
        ("FROM debian\nCOPY --from=made.azurecr.io/training:1 / /\n", "may not pull"),
        ("FROM 127.0.0.1:4712/made/training:1\n", FOREIGN),
        ("ARG P=4712\nFROM 127.0.0.1:$P/made/training:1\n", FOREIGN),
        ('ARG H="127.0.0.1:4712"\nFROM $H/made/training:1\n', FOREIGN),
        ("FROM ${X:+127.0.0.1:4712}/made/training:1\n", "is not known"),
        ("FROM debian\nCOPY --from=127.0.0.1:4712/made/training:1 / /\n", FOREIGN),
        ("FROM debian\nCOPY --from=127.0.0.1:47\\\n  12/made/training:1 / /\n", FOREIGN),
        ("FR\\\nOM 3f\n", "could be the id of an image"),
        ("FROM debian AS 3f\nFROM 3f\nFROM 4f\n", "'4f' could be the id of an image"),
        ("FROM -- 3f\n", "could be the id of an image"),
        ("from\t--platform=linux/amd64 '3f' as x\n", "could be the id of an image"),
        ("ARG X=3f\nFROM debian\nARG X=debian\nFROM $X\n", "could be the id of an image"),
        ("ARG A=1 B=3f\nFROM ${B:-debian}\n", "could be the id of an image"),
        ("FROM debian\nCOPY --fr\\\n# a comment\nom=3f / /\n", "could be the id of an image"),
        ("FROM debian\nCOPY --fr\\om=3\\f / /\n", "could be the id of an image"),
        ("FROM debian\nCOPY --chown=a\\ b --f'r'om=\"3f\" / /\n", "could be the id of an image"),
        ("FROM debian\nRUN --mount=type=bind,from=3f,target=/x true\n", "could be the id of an image"),
        ("FROM debian\nCOPY --from=made.azure\\\n# a comment\ncr.io/training:1 / /\n", "may not pull"),
        ("FROM debian\nENV URL=https://a/?from=3f\nRUN uvx --from=3f tool\nRUN true \\\n  # from\n  && true\n", None),
        ("FROM debian\nONBUILD COPY --from=127.0.0.1:4712/made/training:1 / /\n", FOREIGN),
    ],
)
def test_a_dockerfile_takes_nothing_from_images_that_others_pulled(
    platform: Platform, tmp_path: Path, dockerfile: str, said: str | None
) -> None:
    platform.store.put("settings/registry-port", "settings", {"port": 4712})
    platform.store.put(f"/r/{REGISTRY_TYPE}/made", REGISTRY_TYPE, {"name": "made"})
    (tmp_path / "Dockerfile").write_text(dockerfile)
    with pytest.raises(UnusableEnvironment, match=said) if said else contextlib.nullcontext():
        custom.check_images(platform, Plan.of({"context": "."}, tmp_path), WHO)


@pytest.mark.attack
async def test_a_dockerignore_whose_patterns_take_long_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / ("a" * 200)).touch()
    ignore = tmp_path / ".dockerignore"
    ignore.write_text("**/*.pyc\n**/node_modules/**\n")
    plan = Plan.of({"context": "."}, tmp_path)
    await custom.check_ignored(plan)
    ignore.write_text(f"{'*a' * 8}*b\n")
    with pytest.raises(UnusableEnvironment, match="takes more than 2 seconds"):
        await custom.check_ignored(plan)
