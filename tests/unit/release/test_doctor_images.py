"""The findings of `release doctor` about Docker."""

from __future__ import annotations

from pathlib import Path

import pytest

from release.doctor.checks import images
from release.doctor.findings import Level
from tests.unit.release.examined import FakeSubject, levels, only


@pytest.fixture
def subject(tmp_path: Path) -> FakeSubject:
    return FakeSubject(tmp_path)


def test_an_attached_provider_builds_the_images(subject: FakeSubject) -> None:
    subject.set("image", build=True)
    subject.environment = {"PULUMI_DEBUG_PROVIDERS": "azure-native:1,docker:2"}
    assert levels(images.check(subject)) == {Level.OK}


def test_docker_does_not_answer(subject: FakeSubject, tmp_path: Path) -> None:
    subject.set("image", build=True)
    subject.environment = {"PATH": str(tmp_path), "DOCKER_HOST": f"unix://{tmp_path}/docker.sock"}
    found = only(images.check(subject), Level.PROBLEM)
    assert "docker.sock: No such file or directory" in found.what
    assert found.fix.endswith("azureml-platform:image.build false -s test")


@pytest.mark.parametrize(
    ("script", "level"), [("echo 27.0", Level.OK), ("echo Cannot connect >&2; exit 1", Level.PROBLEM)]
)
def test_dockers_command_is_asked(script: str, level: Level, subject: FakeSubject, tmp_path: Path) -> None:
    subject.set("image", build=True)
    program = tmp_path / "docker"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    subject.environment = {"PATH": str(tmp_path)}
    assert levels(images.check(subject)) == {level}
