from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from amlite.tools import azurite, command, node
from amlite.tools.base import Task, Tool, ToolError, Unavailable


def tool(
    name: str, *, there: bool = False, error: ToolError | None = None, needs: Tool | None = None, optional: bool = False
) -> Tool:
    async def install(task: Task) -> str:
        task.say("working")
        if error is not None:
            raise error
        return f"/installed/{name}"

    find = (lambda: f"/{name}") if there else (lambda: None)
    return Tool(name, f"what {name} is for", find, install, lambda _: "1.2.3", needs=needs, optional=optional)


def test_each_tool_has_a_state_and_its_place_or_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    off = tool("engine", error=Unavailable("no engine answers", fix="Install one."), optional=True)
    rows = command.install(
        [
            tool("there", there=True),
            tool("missing"),
            tool("failing", error=ToolError("no network", fix="Check it."), optional=True),
            off,
            tool("registry", needs=off, optional=True),
            tool("image", there=True, needs=off, optional=True),
        ]
    )
    assert [(row.tool, row.state, row.where) for row in rows] == [
        ("there", "found", "/there"),
        ("missing", "installed", "/installed/missing"),
        ("failing", "failed", None),
        ("engine", "off", None),
        ("registry", "off", None),
        ("image", "found", "/image"),
    ]
    assert [row.reason for row in rows[2:5]] == [
        "no network\n  fix: Check it.", "no engine answers\n  fix: Install one.", "needs engine",
    ]  # fmt: skip
    assert {row.version for row in rows[:2]} == {"1.2.3"}
    shown = capsys.readouterr().err
    assert "missing: working\n" in shown
    assert "missing: installed\n" in shown
    assert "there" not in shown


def test_what_needs_another_waits_for_it() -> None:
    begun: list[str] = []

    async def first(_: Task) -> str:
        await asyncio.sleep(0)
        begun.append("first")
        return "/first"

    async def second(_: Task) -> str:
        begun.append("second")
        return "/second"

    one = Tool("one", "", lambda: None, first, lambda _: "")
    command.install([one, Tool("two", "", lambda: None, second, lambda _: "", needs=one)])
    assert begun == ["first", "second"]


def test_the_command_prints_a_table_or_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    optional = tool("engine", error=Unavailable("no engine", fix="Install one."), optional=True)
    monkeypatch.setattr(command, "TOOLS", [tool("there", there=True), optional])
    command.show("text")
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["TOOL", "VERSION", "STATE", "WHERE"],
        ["there", "1.2.3", "found", "/there"],
        ["engine", "off", "no", "engine"],
        ["fix:", "Install", "one."],
    ]
    command.show("json")
    told = json.loads(capsys.readouterr().out)["tools"]
    assert [(row["tool"], row["where"]) for row in told] == [("there", "/there"), ("engine", None)]


def test_the_command_fails_when_amlite_cannot_do_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "TOOLS", [tool("azurite", error=ToolError("no network", fix="Check it."))])
    with pytest.raises(SystemExit) as ended:
        command.show("text")
    assert ended.value.code == 1


def test_amlite_starts_without_blob_storage_and_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(node, "TOOL", tool("node", there=True))
    monkeypatch.setattr(azurite, "TOOL", tool("azurite", error=ToolError("no network", fix="Check it.")))
    command.prepare_start()
    shown = capsys.readouterr().err
    assert "amlite starts without what azurite is for: no network\n  fix: Check it.\n" in shown


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGINT, 1)])
def test_a_signal_ends_what_is_going_on_and_leaves_nothing(
    cache: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    begun = tmp_path / "begun"
    for name in ("node", "npm"):
        (tmp_path / name).write_text(
            f"#!/bin/sh\n[ {name} = node ] && echo v20.1.0 $0 && exit\ntouch {begun}; sleep 600"
        )
        (tmp_path / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin", "AMLITE_DOCKER": "off"}
    with subprocess.Popen(
        [sys.executable, "-m", "amlite.cli", "tools"], env=environment, stderr=subprocess.PIPE
    ) as run:
        while not begun.exists() and run.poll() is None:
            time.sleep(0.01)
        run.send_signal(number)
        assert run.stderr is not None
        assert b"Traceback" not in run.stderr.read()
    assert run.returncode == code
    assert [path.name for path in (cache / "tools").iterdir() if path.is_dir()] == []
