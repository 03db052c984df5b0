from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bootstrap.errors import SetupError
from bootstrap.layout import Layout
from bootstrap.local_azure import LocalAzure
from bootstrap.phases import Task

REPOSITORY = Path(__file__).resolve().parents[3]
TOOLS = Path("packages/amlite/src/amlite/tools")
# What people get who install amlite or read about it; its tests run in this repository.
SHIPPED = ("packages/amlite", ":!packages/amlite/tests")
WORDS = ("make setup", ".venv/bin", "Makefile", "azureml-platform", "toolchain.json")


def amlite(layout: Layout, script: str) -> None:
    path = layout.bin / "amlite"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_amlite_installs_its_tools_and_its_lines_are_shown(
    layout: Layout, task: Task, details: list[str], programs: Callable[[str, str], Path]
) -> None:
    del programs  # nothing else on PATH
    amlite(layout, '[ "$*" = tools ] || exit 9\necho "azurite: npm ci" >&2\necho "azurite 3.35.0 installed"')
    LocalAzure().run(task)
    assert details == ["azurite: npm ci", "azurite 3.35.0 installed"]
    amlite(layout, "exit 1")
    LocalAzure().run(task)  # another clone of this user


def test_a_missing_tool_fails_the_set_up(layout: Layout, task: Task) -> None:
    amlite(layout, "exit 1")
    with pytest.raises(SetupError, match="amlite tools` ended with code 1"):
        LocalAzure().run(task)


def test_it_runs_again_when_a_recipe_changes(layout: Layout) -> None:
    shutil.copytree(REPOSITORY / TOOLS, layout.repository / TOOLS)
    before = LocalAzure().inputs(layout)
    (layout.repository / TOOLS / "__pycache__").mkdir(exist_ok=True)
    (layout.repository / TOOLS / "__pycache__" / "new.pyc").touch()
    assert LocalAzure().inputs(layout) == before
    (layout.repository / TOOLS / "recipes" / "node.lock").write_text("another==1.0\n")
    assert LocalAzure().inputs(layout) != before


@pytest.mark.parametrize("word", WORDS)
def test_amlite_does_not_mention_this_project(word: str) -> None:
    found = subprocess.run(
        ["git", "grep", "--fixed-strings", "--files-with-matches", word, "--", *SHIPPED],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.stdout == ""
