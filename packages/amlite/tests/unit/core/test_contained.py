"""A job links to what is not its own: amlite's keys, devices, and folders elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from amlite.core import contained
from amlite.core.errors import AzureError
from amlite.core.processes import tail

pytestmark = pytest.mark.attack


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """The folder of a job, beside a secret."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "ca.key").write_text("SECRET", "utf-8")
    folder = tmp_path / "job"
    (folder / "outputs" / "deep").mkdir(parents=True)
    (folder / "outputs" / "deep" / "own").write_text("own", "utf-8")
    return folder


def read(path: Path, within: Path) -> bytes:
    with contained.opened(path, within) as file:
        return file.read()


def test_links_inside_are_followed(job: Path) -> None:
    (job / "outputs" / "link").symlink_to("deep/own")
    assert read(job / "outputs" / "link", job) == b"own"
    assert contained.files(job / "outputs", job) == [job / "outputs/deep/own", job / "outputs/link"]


@pytest.mark.parametrize("target", ["../../keys/ca.key", "{keys}/ca.key", "{keys}", "/dev/zero", "/proc/self/environ"])
def test_a_link_that_leads_out_is_not_read(job: Path, target: str) -> None:
    link = job / "outputs" / "key"
    link.symlink_to(target.format(keys=job.parent / "keys"))
    with pytest.raises(AzureError, match="Copy the file instead of linking it"):
        read(link, job)
    if not link.is_dir():
        with pytest.raises(AzureError, match=r"'outputs/key' is not a file inside"):
            contained.files(job / "outputs", job)


def test_a_folder_that_is_a_link_is_not_entered(job: Path) -> None:
    (job / "logs").symlink_to(job.parent / "keys")
    with pytest.raises(AzureError):
        contained.files(job / "logs", job)
    with pytest.raises(AzureError):
        read(job / "logs" / "ca.key", job)
    (job / "outputs" / "own").symlink_to("deep")
    assert contained.files(job / "outputs", job) == [job / "outputs/deep/own"]
    (job / "outputs" / "deep" / "keys").symlink_to(job.parent / "keys")
    with pytest.raises(AzureError, match=r"'outputs/deep/keys' is not a file inside"):
        contained.files(job / "outputs", job)


@pytest.mark.parametrize("place", ["link", "deep/link"])
@pytest.mark.parametrize("target", ["keys", "keys/ca.key"])
def test_no_copy_follows_a_link_out(job: Path, place: str, target: str) -> None:
    """The next step of a pipeline gets a copy of the output, which amlite makes."""
    copied = job.parent / "copy"
    (job / "outputs" / place).symlink_to(job.parent / target)
    with pytest.raises(AzureError, match="Copy the file instead of linking it"):
        contained.copy(job / "outputs", copied, job / "outputs")
    assert not [each for each in copied.rglob("*") if each.is_file() and each.read_text() == "SECRET"]


def test_a_copy_has_the_files_and_can_be_changed(job: Path) -> None:
    (job / "outputs" / "deep" / "own").chmod(0o444)
    (job / "outputs" / "link").symlink_to("deep/own")
    contained.copy(job / "outputs", job.parent / "copy", job / "outputs")
    assert {each.name: each.read_text() for each in (job.parent / "copy").rglob("*") if each.is_file()} == {
        "own": "own", "link": "own",
    }  # fmt: skip
    (job.parent / "copy" / "deep" / "own").write_text("changed")
    assert (job / "outputs" / "link").read_text() == "own"
    contained.copy(job / "outputs" / "link", job.parent / "one", job / "outputs")
    assert (job.parent / "one").read_text() == "own"


def test_a_file_is_written_in_place_of_a_link(job: Path) -> None:
    (job / "settings.json").symlink_to(job.parent / "keys" / "ca.key")
    contained.write(job / "settings.json", "{}")
    assert (job / "settings.json").read_text() == "{}"
    assert (job.parent / "keys" / "ca.key").read_text() == "SECRET"


def test_a_folder_that_leads_out_is_not_inside(job: Path) -> None:
    (job / "out").symlink_to(job.parent / "keys")
    (job / "nothing").symlink_to(job / "later")
    assert not any(contained.is_inside(job / name, job) for name in ("out", "nothing", "absent"))
    assert contained.is_inside(job / "outputs", job)


@pytest.mark.parametrize(
    ("name", "there"), [("kept", True), ("sub/../kept", True), ("../kept", False), ("/etc/passwd", False), ("", False)]
)
def test_a_name_of_others_is_no_file_of_a_folder(tmp_path: Path, name: str, there: bool) -> None:
    """Whether a file of this machine exists could be learned by the name of a scoring script."""
    folder = tmp_path / "code"
    (folder / "sub").mkdir(parents=True)
    for place in (folder, tmp_path):
        (place / "kept").touch()
    assert contained.is_file(folder / name, folder) is there


def test_a_pipe_does_not_stop_the_reader(job: Path) -> None:
    os.mkfifo(job / "outputs" / "pipe")
    with pytest.raises(AzureError):
        read(job / "outputs" / "pipe", job)


def test_the_end_of_a_log_is_not_that_of_another_file(job: Path) -> None:
    (job / "log.txt").symlink_to(job.parent / "keys" / "ca.key")
    assert tail(job / "log.txt") == ""
    assert tail(job / "outputs" / "deep" / "own") == "own"


def test_the_end_of_a_log_is_read_without_its_beginning(job: Path) -> None:
    """A job can make a log as long as a disk, without a byte on it."""
    with (job / "log.txt").open("wb") as file:
        file.truncate(1 << 40)
        file.seek(0, os.SEEK_END)
        file.write(b"\nthe end")
    assert tail(job / "log.txt", lines=1) == "the end"
    assert len(tail(job / "log.txt", lines=1 << 60)) < 1 << 24
