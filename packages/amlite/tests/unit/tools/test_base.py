from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from amlite.core.processes import OWNER_VARIABLE
from amlite.tools.base import Task, Tool, ToolError, dotted, new_directory, reason_in, version_in


class Fake:
    """A tool that is a file, and counts how often it is brought."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.installed = 0
        self.tool = Tool("fake", "tests", self.find, self.install, lambda _: "1.0")

    def find(self) -> str | None:
        return str(self.place) if self.place.exists() else None

    async def install(self, task: Task) -> str:
        self.installed += 1
        await task.run(["sh", "-c", f"echo working; touch {self.place}"], fix="", line=task.say)
        return str(self.place)


async def test_a_tool_that_is_there_is_not_brought(tmp_path: Path) -> None:
    fake = Fake(tmp_path / "tool")
    fake.place.touch()
    assert await fake.tool.ensure() == str(fake.place)
    assert fake.installed == 0


async def test_two_that_ask_at_once_get_the_same_one(tmp_path: Path) -> None:
    fake = Fake(tmp_path / "tool")
    said: list[str] = []
    assert set(await asyncio.gather(*(fake.tool.ensure(said.append) for _ in range(3)))) == {str(fake.place)}
    assert fake.installed == 1
    assert [line for line in said if "waiting" not in line] == ["working"]


async def test_what_is_asked_for_again_after_a_failure_is_tried_again(tmp_path: Path, cache: Path) -> None:
    fake = Fake(tmp_path / "nothing" / "tool")
    with pytest.raises(ToolError):
        await fake.tool.ensure()
    fake.place.parent.mkdir()
    assert await fake.tool.ensure()
    # Of the run that succeeded alone.
    assert (cache / "logs" / "fake.log").read_text().count("$ sh") == 1


async def test_a_failure_names_the_command_its_reason_the_log_and_the_fix(task: Task) -> None:
    with pytest.raises(ToolError) as caught:
        await task.run(["sh", "-c", "echo no such host; echo; exit 3"], fix="Check the network.")
    assert str(caught.value).splitlines() == [
        "`sh -c echo no such host; echo; exit 3` ended with code 3: no such host",
        f"  log: {task.log}",
        "  fix: Check the network.",
    ]
    with pytest.raises(ToolError, match="`/nothing` does not start: No such file"):
        await task.run(["/nothing"], fix="")


async def test_what_may_not_be_interrupted_is_not_ended_with_amlite(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OWNER_VARIABLE, "/state")
    show = ["sh", "-c", f"echo ${OWNER_VARIABLE}"]
    assert await task.run(show, fix="") == "/state"
    assert await task.run(show, fix="", finish=True) == ""


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (
            ["npm error code ECONNREFUSED", "npm error A complete log of this run is in x"],
            "npm error code ECONNREFUSED",
        ),
        (["github.com/pkg/errors", "go: example.org: no such host", ""], "go: example.org: no such host"),
        (["Retrying", "ERROR: No matching distribution", "hint: check"], "ERROR: No matching distribution"),
        ([], "no output"),
    ],
)
def test_the_line_that_says_most_is_shown(lines: list[str], reason: str) -> None:
    assert reason_in(lines) == reason


def test_a_directory_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "tool"
    with contextlib.suppress(RuntimeError), new_directory(target) as folder:
        (folder / "half").touch()
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with new_directory(target) as folder:
        (folder / "whole").touch()
        assert not target.exists()
    assert [path.name for path in target.iterdir()] == ["whole"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("v20.1.0", "20.1.0"), ("go version go1.26 linux/amd64", "1.26.0"), ("Docker version 20.10.24, b 2", "20.10.24")],
)
def test_versions_are_read_from_what_programs_print(text: str, expected: str) -> None:
    assert dotted(version_in(text)) == expected
    assert dotted(version_in("none")) == ""
