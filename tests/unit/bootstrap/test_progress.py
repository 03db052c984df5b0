from __future__ import annotations

import io

import pytest

from bootstrap.progress import Progress, duration


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (242, "4 min 02 s")],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_without_a_terminal_lines_are_plain() -> None:
    now = 0.0
    stream = io.StringIO()
    progress = Progress(stream, clock=lambda: now)
    with progress:
        progress.start("Pulumi CLI")
        progress.detail("Pulumi CLI", "linking")
        now = 65.0
        progress.end("Pulumi CLI", "done", "3.259.0")
    text = stream.getvalue()
    assert text.splitlines() == [
        "  ...     Pulumi CLI",
        "  done    Pulumi CLI             1 min 05 s  3.259.0",
    ]
    assert all(character.isprintable() or character == "\n" for character in text)


def test_without_a_terminal_long_work_is_mentioned_now_and_then() -> None:
    times = iter([0.0, 0.0, 1.0, 21.0, 22.0, 42.0])
    stream = io.StringIO()
    progress = Progress(stream, quiet_seconds=20, clock=lambda: next(times))
    progress.start("Azurite")
    progress.detail("Azurite", "npm ci")
    for _ in range(4):
        progress.show()
    assert stream.getvalue().count("Azurite") == 3
    assert "Azurite 21 s: npm ci" in stream.getvalue()


def test_on_a_terminal_one_line_moves() -> None:
    stream = Terminal()
    progress = Progress(stream, clock=lambda: 0.0)
    progress.start("Azurite")
    progress.show()
    progress.end("Azurite", "done", "3.35.0")
    last = stream.getvalue().split("\r\x1b[K")[-1]
    assert last.startswith("  done    Azurite")
    assert stream.getvalue().count("\n") == 1
