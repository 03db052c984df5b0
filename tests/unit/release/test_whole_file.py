"""A disk that is full in the middle of a write: the file is as before, and there is one error."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from pulumi import automation

from infra.outputs import ModelOutput
from release import json_file, stack_file
from release.errors import ReleaseError
from release.stack import PulumiStack
from tests.unit.release.stacks import FakeStack

TEXT = "config:\n  azure-native:location: westeurope\n"


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each write of a text stop after ten characters."""

    def write(path: Path, text: str, *_: Any) -> int:
        with path.open("w", encoding="utf-8") as file:
            file.write(text[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(Path, "write_text", write)


def test_the_patterns_of_an_import_do_not_cut_the_stack_file(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text(TEXT)
    file.chmod(0o640)
    request.getfixturevalue("full")
    with pytest.raises(ReleaseError, match=r"cannot write .*Pulumi\.dev\.yaml: No space left on device"):
        stack_file.extend(file, "azureml-platform:assets", "files", ["/taxi/"])
    assert (file.read_text(), [each.name for each in tmp_path.iterdir()]) == (TEXT, ["Pulumi.dev.yaml"])


def test_a_written_file_keeps_its_mode_and_its_link(tmp_path: Path) -> None:
    file = tmp_path / "real" / "Pulumi.dev.yaml"
    file.parent.mkdir()
    file.write_text(TEXT)
    file.chmod(0o640)
    link = tmp_path / "Pulumi.dev.yaml"
    link.symlink_to(file)
    stack_file.extend(link, "azureml-platform:assets", "files", ["/taxi/"])
    assert link.is_symlink()
    assert "/taxi/" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o640


def test_no_other_file_is_written_through_a_link_beside_it(tmp_path: Path) -> None:
    """A link in the repository had the name under which the new file was written."""
    (tmp_path / "mine").write_text("mine")
    for name in (".dev.json.new", f".dev.json.{os.getpid()}.new"):
        (tmp_path / name).symlink_to("mine")
    json_file.write(tmp_path / "dev.json", "{}")
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (tmp_path / "dev.json").is_symlink()
    assert (tmp_path / "dev.json").read_text() == "{}\n"


@pytest.mark.usefixtures("full")
def test_a_result_that_cannot_be_written_leaves_no_part(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="No space left on device"):
        json_file.write(tmp_path / "previews" / "dev.json", "{}")
    assert list((tmp_path / "previews").iterdir()) == []


def test_a_pipe_gets_the_text(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    try:
        json_file.write(Path(f"/dev/fd/{writer}"), "{}")
        assert os.read(reader, 10) == b"{}\n"
    finally:
        os.close(reader)
        os.close(writer)


@pytest.mark.parametrize("end", [automation.CommandError, KeyboardInterrupt])
def test_a_promotion_that_fails_leaves_the_stack_file_as_before(
    end: type[BaseException], fake: FakeStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pulumi writes over the file, and cuts it if the disk is full."""
    file = tmp_path / "Pulumi.local.yaml"
    before = file.read_bytes()

    def cut(*_: Any, **__: Any) -> None:
        file.write_text("con")
        if end is KeyboardInterrupt:
            raise KeyboardInterrupt
        result = automation.CommandResult(stdout="", stderr=f"error: write {file}: no space left on device", code=255)
        raise automation.CommandError(result)

    monkeypatch.setattr(fake, "set_all_config", cut)
    with pytest.raises((ReleaseError, KeyboardInterrupt)):
        PulumiStack("local").promote("flight-delay", ModelOutput(name="flight-delay", version="7"))
    assert file.read_bytes() == before
