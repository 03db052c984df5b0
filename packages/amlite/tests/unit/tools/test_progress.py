from __future__ import annotations

import pytest

from amlite.tools import progress
from amlite.tools.progress import ToolProgress


def test_without_a_terminal_lines_are_plain_and_few(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    with ToolProgress() as shown:
        shown.say("azurite", "npm ci")
        for now in (1.0, 9.0, 11.0):
            shown.say("azurite", f"compiling [{now}]")
        shown.end("azurite", "installed")
        shown.end("node", "found")
    assert capsys.readouterr().err == "azurite: npm ci\nazurite: compiling [11.0]\nazurite: installed\n"


def test_on_a_terminal_lines_move_and_go_away(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with ToolProgress() as shown:
        shown.say("azurite", "npm ci")
        shown._lines.refresh()
        shown.end("azurite", "installed")
    text = capsys.readouterr().err
    assert "azurite" in text
    assert "npm ci" in text
    assert "installed" not in text
