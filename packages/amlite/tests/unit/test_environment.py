"""Which programs come first for a command of `amlite run`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from amlite import environment


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder; amlite is installed elsewhere, as uvx does it."""
    for name in ("tool", "active", "project/.venv"):
        (tmp_path / name / "bin").mkdir(parents=True)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "tool"))
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path


def first(**inherited: str) -> str:
    return environment.path({"PATH": "/usr/bin", **inherited}).partition(":")[0]


def test_the_activated_environment_comes_first(folder: Path) -> None:
    assert first(VIRTUAL_ENV=str(folder / "active")) == str(folder / "active" / "bin")


def test_the_environment_in_the_working_folder_comes_first_where_none_is_activated(folder: Path) -> None:
    assert first() == str(folder / "project" / ".venv" / "bin")
    assert first(VIRTUAL_ENV=str(folder / "deleted")) == str(folder / "project" / ".venv" / "bin")


def test_elsewhere_amlites_own_comes_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert first() == str(folder / "tool" / "bin")


def test_the_projects_amlite_is_used_with_its_own_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(folder / "project" / ".venv"))
    assert first(VIRTUAL_ENV=str(folder / "active")) == str(folder / "project" / ".venv" / "bin")


def test_nothing_is_named_twice(folder: Path) -> None:
    active = str(folder / "active")
    assert environment.path({"PATH": f"{active}/bin:/usr/bin", "VIRTUAL_ENV": active}) == f"{active}/bin:/usr/bin"
