from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from amlite.core.docker_build import BuildError, Plan, split_tag


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
