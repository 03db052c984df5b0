from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import docker
import pytest
from docker.errors import APIError, ImageNotFound

from amlite.core import built_images
from amlite.core.built_images import BuiltImage
from amlite.core.docker_build import Builder, BuildError, Plan, Turn, split_tag


@pytest.fixture
def project(tmp_path: Path) -> Path:
    context = tmp_path / "image"
    (context / "src").mkdir(parents=True)
    (context / "Dockerfile").write_text("FROM python:3.11\nCOPY src /src\n")
    (context / "src" / "run.py").write_text("print(1)\n")
    (context / "notes.md").write_text("not in the image\n")
    (context / ".dockerignore").write_text("# comment\n*.md\n")
    return tmp_path


def digest(project: Path) -> str:
    return Plan.of({"context": "image"}, project).digest()


def rename(project: Path) -> None:
    (project / "image/src/run.py").rename(project / "image/src/main.py")


@pytest.mark.parametrize(
    "change",
    [
        lambda project: (project / "image/src/run.py").write_text("print(2)\n"),
        lambda project: (project / "image/src/new.py").write_text(""),
        lambda project: (project / "image/src/run.py").unlink(),
        lambda project: (project / "image/src/run.py").chmod(0o755),
        lambda project: (project / "image/Dockerfile").write_text("FROM python:3.12\n"),
        rename,
    ],
)
def test_digest_changes_with_what_the_daemon_gets(project: Path, change: Callable[[Path], object]) -> None:
    before = digest(project)
    change(project)
    assert digest(project) != before


@pytest.mark.parametrize(
    "change",
    [
        lambda project: (project / "image/notes.md").write_text("changed"),
        lambda project: os.utime(project / "image/src/run.py", (0, 0)),
        lambda project: (project / "beside.txt").write_text("outside the context"),
    ],
)
def test_digest_stays_for_what_the_daemon_does_not_get(project: Path, change: Callable[[Path], object]) -> None:
    before = digest(project)
    change(project)
    assert digest(project) == before


def test_digest_does_not_run_two_files_together(project: Path) -> None:
    (project / "image/src/run.py").write_text("ab")
    (project / "image/src/run.pyc").write_text("")
    before = digest(project)
    (project / "image/src/run.py").write_text("a")
    (project / "image/src/run.pyc").write_text("b")
    assert digest(project) != before


def test_start_is_what_comes_before_the_files(project: Path) -> None:
    dockerfile = project / "image/Dockerfile"
    dockerfile.write_text("# a base\nFROM python:3.11\n\nRUN one \\\n  && two\nCOPY src /src\nRUN three\n")
    assert Plan.of({"context": "image"}, project).start() == ["FROM python:3.11", "RUN one   && two"]


def test_builds_with_the_same_start_take_turns(project: Path) -> None:
    plan = Plan.of({"context": "image"}, project)
    with Turn(plan, "engine") as first:
        other = threading.Thread(target=Turn(plan, "engine").__enter__, daemon=True)
        other.start()
        with Turn(plan, "another engine"):
            pass
        other.join(0.05)
        assert other.is_alive()
        first.pass_on()
        other.join(10)
        assert not other.is_alive()


def test_key_is_for_a_build_on_a_base(project: Path) -> None:
    builds = [{"context": "image"}, {"context": "image", "args": {"A": "1"}}, {"context": "image", "target": "x"}]
    keys = [Plan.of(build, project).key("base.tar") for build in builds]
    keys.append(Plan.of(builds[0], project).key("other.tar"))
    assert len(set(keys)) == len(keys)
    assert Plan.of(builds[0], project).key("base.tar") == keys[0]


def test_record_of_a_build_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    manifest = '{"config": {"digest": "sha256:c"}, "layers": [{"digest": "sha256:l"}]}'
    image = BuiltImage(manifest, "python:3.11")
    assert built_images.find("key") is None
    built_images.remember("key", image)
    assert built_images.find("key") == image
    assert image.blobs == ["sha256:c", "sha256:l"]
    next(tmp_path.rglob("key.json")).write_text("{")
    assert built_images.find("key") is None


@pytest.mark.parametrize(
    ("build", "named"),
    [
        ({"context": "nowhere"}, "build.context"),
        ({"context": "image", "dockerfile": "image/Docker"}, "build.dockerfile"),
    ],
)
def test_what_is_not_there_is_named(project: Path, build: dict[str, str], named: str) -> None:
    with pytest.raises(BuildError, match=named):
        Plan.of(build, project)


def test_bases_are_the_images_from_outside(project: Path) -> None:
    (project / "image/Dockerfile").write_text(
        "ARG TAG=latest\n"
        "ARG REGISTRY\n"
        "FROM --platform=linux/amd64 ${REGISTRY}/base:$TAG AS build\n"
        "RUN echo FROM nothing\n"
        "FROM scratch\n"
        "FROM build AS second\n"
        "from python:${VERSION:-3.11}\n"
    )
    plan = Plan.of({"context": "image", "args": {"REGISTRY": "mcr.microsoft.com"}}, project)
    assert plan.bases() == ["mcr.microsoft.com/base:latest", "python:3.11"]


def test_an_instruction_goes_over_comments_and_empty_lines(project: Path) -> None:
    dockerfile = project / "image/Dockerfile"
    dockerfile.write_bytes(
        b"# syntax=x\r\nARG A=1 B='two words' C\r\n  run one \\ \r\n\r\n\t# a comment\r\n  && two\r\n"
        b"FR\\\r\nOM\tpython:$A\r\n"
    )
    plan = Plan.of({"context": "image"}, project)
    assert plan.instructions() == ["ARG A=1 B='two words' C", "run one   && two", "FROM\tpython:$A"]
    assert plan.bases() == ["python:1"]


@pytest.mark.attack
@pytest.mark.parametrize(
    ("dockerfile", "said"),
    [
        (b"# escape=`\nFROM python\nRUN x `\nFROM 3f\n", "directive 'escape'"),
        (b"# a\n\n  #Escape = `\nFROM 3f\n", "directive 'escape'"),
        (b"FROM\x0b3f\n", "control characters"),
        (b"RUN true \\\n\x0c\nFROM 3f\n", "control characters"),
        (b"FROM\r3f\n", "control characters"),
        (b"FROM py\\thon\n", "write FROM IMAGE"),
        (b"FROM\n", "write FROM IMAGE"),
        (b"FROM --platform=x\n", "write FROM IMAGE"),
        (b"FROM python IS 3f\n", "write FROM IMAGE"),
        (b"ARG X='p Y=q\nFROM ${Y:-3f}\n", "arguments are not known"),
        (b'ARG "X"=3f\nFROM $X\n', "arguments are not known"),
    ],
)
def test_a_dockerfile_that_docker_could_read_in_another_way_is_refused(
    project: Path, dockerfile: bytes, said: str
) -> None:
    (project / "image/Dockerfile").write_bytes(dockerfile)
    with pytest.raises(BuildError, match=said):
        Plan.of({"context": "image"}, project).bases()


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a.azurecr.io/train:1", ("a.azurecr.io/train", "1")),
        ("127.0.0.1:5000/train", ("127.0.0.1:5000/train", "latest")),
        ("127.0.0.1:5000/train:2", ("127.0.0.1:5000/train", "2")),
    ],
)
def test_split_tag_knows_a_port_from_a_tag(name: str, parts: tuple[str, str]) -> None:
    assert split_tag(name) == parts


def test_byte_order_marks_hide_neither_the_base_nor_an_ignored_file(project: Path) -> None:
    (project / "image/Dockerfile").write_bytes(b"\xef\xbb\xbfFROM python:3.11\nCOPY src /src\n")
    (project / "image/.dockerignore").write_bytes(b"\xef\xbb\xbfsecret.env\n")
    (project / "image/secret.env").write_text("TOKEN=1\n")
    build = Plan.of({"context": "image"}, project)
    assert build.bases() == ["python:3.11"]
    assert "secret.env" not in build.files()


@pytest.mark.attack
@pytest.mark.parametrize("name", ["Dockerfile", ".dockerignore"])
def test_a_large_text_is_not_read(project: Path, name: str) -> None:
    with (project / "image" / name).open("a") as file:
        file.truncate(1 << 40)
    with pytest.raises(BuildError, match="has more than 256 KB"):
        Plan.of({"context": "image"}, project)


class Engine:
    """An engine from which a name of an image is taken away while it pushes the image."""

    def __init__(self, **_options: object) -> None:
        self.fails: Exception | None = None

    def tag(self, *_arguments: object, **_options: object) -> None:
        if self.fails:
            raise self.fails

    def push(self, *_arguments: object, **_options: object) -> list[dict[str, object]]:
        return [{"status": "pushed", "aux": {"Digest": "sha256:1"}}]

    def remove_image(self, name: str, **_options: object) -> None:
        raise ImageNotFound(f"404 Client Error for http+docker://localhost: No such image: {name}")


def test_a_name_that_another_push_removed_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The providers of an update that was killed can push the image that the next update pushes."""
    monkeypatch.setattr(docker, "APIClient", Engine)
    builder = Builder("unix:///nowhere")
    assert builder.push("r.azurecr.io/image:1", "127.0.0.1:5000/r/image:1", None, print) == "sha256:1"


@pytest.mark.parametrize(
    "error", [APIError("500 Server Error", explanation="out of space"), ConnectionResetError("out of space")]
)
def test_an_error_of_the_engine_is_told_without_its_address(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine()
    engine.fails = error
    monkeypatch.setattr(docker, "APIClient", lambda **_options: engine)
    with pytest.raises(BuildError, match=r"^docker push failed: out of space$"):
        Builder("unix:///nowhere").push("r.azurecr.io/image:1", "127.0.0.1:5000/r/image:1", None, print)
