from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bootstrap.files import digest, link, new_directory, write_text


def test_write_text_replaces_content_and_mode_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    write_text(path, "one")
    write_text(path, "two", mode=0o755)
    assert path.read_text() == "two"
    assert path.stat().st_mode & 0o777 == 0o755
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_write_text_does_not_touch_equal_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "same")
    before = path.stat()
    write_text(path, "same")
    assert path.stat().st_ino == before.st_ino


def test_write_text_replaces_a_link_not_what_it_points_to(tmp_path: Path) -> None:
    target, path = tmp_path / "target", tmp_path / "path"
    target.write_text("theirs")
    path.symlink_to(target)
    write_text(path, "ours")
    assert target.read_text() == "theirs"
    assert path.read_text() == "ours"


def test_link_replaces_files_links_and_dangling_links(tmp_path: Path) -> None:
    path = tmp_path / "bin" / "tool"
    link(path, tmp_path / "gone")
    link(path, tmp_path / "first")
    path.unlink()
    path.write_text("a file")
    link(path, tmp_path / "second")
    assert path.readlink() == tmp_path / "second"
    assert [entry.name for entry in path.parent.iterdir()] == ["tool"]


def test_new_directory_appears_only_when_whole(tmp_path: Path) -> None:
    path = tmp_path / "cache"
    with pytest.raises(FileNotFoundError), new_directory(path) as folder:
        shutil.copytree(tmp_path / "missing", folder / "half")
    killed = path.with_name("cache.unfinished-1")
    killed.mkdir()
    assert not path.exists()
    with new_directory(path) as folder:
        assert list(folder.iterdir()) == []
        (folder / "whole").touch()
        assert not path.exists()
        killed.mkdir()  # by a program of a killed set-up, which still runs
        (killed / "tool").touch()
    assert [entry.name for entry in path.iterdir()] == ["whole"]


def test_new_directory_keeps_the_old_one_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "cache"
    path.mkdir()
    (path / "old").touch()
    with pytest.raises(RuntimeError), new_directory(path):
        raise RuntimeError
    assert (path / "old").exists()
    with new_directory(path) as folder:
        (folder / "new").touch()
    assert [entry.name for entry in path.iterdir()] == ["new"]


def test_digest_tells_parts_apart() -> None:
    assert digest("ab", "c") != digest("a", "bc")
    assert digest("a") == digest(b"a")
