"""What a job, a name or a message of others cannot do to the terminal of a release, or to the CI job around it."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from rich.text import Text

import release
from release import cli
from release.errors import ReleaseError
from release.terminal.console import new_console
from release.terminal.tables import columns, to_json
from release.untrusted import escaped, guarded, shown, tell_host

pytestmark = pytest.mark.attack
HOSTILE = "a\x1b]52;c;cm0gLXJm\x07b\x1b[2Jc\x9bd\x08e\u202ef"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HOSTILE, "a␛]52;c;cm0gLXJm␇b␛[2Jc�d␈e�f"),
        ("\x1b[1;31mred\x1b[0m\ttab\r\nline\rline\n", "red\ttab\nline\nline\n"),
        ("épée ## title [x] a::b 12:30", "épée ## title [x] a::b 12:30"),
        ("x ##vso[task.prependpath]/tmp", "x ##\u200bvso[task.prependpath]/tmp"),
        ("##[command]x", "##\u200b[command]x"),
        ("::add-mask::x\n  ::stop-commands::y", ":\u200b:add-mask::x\n  :\u200b:stop-commands::y"),
        ("\r::add-mask::x", "\n:\u200b:add-mask::x"),
    ],
)
def test_text_of_others_gives_no_command(text: str, expected: str) -> None:
    assert shown(text) == expected


def test_no_console_cell_or_error_writes_a_control_character() -> None:
    file = io.StringIO()
    console = new_console(file)
    console.print(HOSTILE)
    console.print(f"[bold]{HOSTILE}[/]", markup=True)
    console.print(columns([HOSTILE], [[HOSTILE], [Text("plain")]], title=HOSTILE))
    written = file.getvalue() + ReleaseError(HOSTILE, fix=HOSTILE).format_message()
    assert written.count("␛]52") == 7
    assert not {letter for letter in written if letter != "\n" and not letter.isprintable()}


COMMAND = "::add-mask::x ##vso[task.setvariable variable=a]b"
"""Behind a line break, or where a table breaks a line, the first one is a command, too."""


def hostile() -> None:
    """Print in each way that a command of the release prints."""
    click.echo(f"job x\n{COMMAND}")
    click.echo(f"job x\r{COMMAND}", err=True)
    for part in ("log\n", ":", ":add-mask::", "x #", "#vs", "o[task.complete]\n", " ::", "stop-commands::y\n"):
        click.echo(part, nl=False)
    print(f"  {COMMAND}")
    print(COMMAND, file=sys.stderr)
    logging.getLogger("hostile").warning("azure says\n%s", COMMAND)
    console = new_console()
    for width in range(150, 165):
        console.print("a" * width + COMMAND)
        console.print(columns(["", ""], [["", "b" * width + COMMAND], [COMMAND, "c"]]))
    raise ReleaseError(f"job x\n{COMMAND}", fix=COMMAND)


def commands(text: str) -> list[str]:
    """Return the lines that a CI host follows."""
    return [line for line in re.split(r"[\r\n]", text) if re.match(r"\s*::\w", line) or re.search(r"##(vso)?\[", line)]


def test_whatever_a_command_prints_is_no_command_for_a_ci_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli._Commands, "get_command", lambda *_: click.Command("hostile", callback=hostile))
    done = CliRunner().invoke(cli.main, ["hostile"])
    assert done.exit_code == 1
    assert "add-mask" in done.stdout
    assert "add-mask" in done.stderr
    assert commands(done.stdout) == commands(done.stderr) == []


def test_an_error_that_nobody_expects_is_no_command_either(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import click\nfrom release import cli\n"
        "def fail():\n    raise ValueError('job x\\n::add-mask::x')\n"
        "cli._Commands.get_command = lambda *_: click.Command('x', callback=fail)\ncli.main(['x'])\n"
    )
    root = Path(release.__file__).parents[1]
    done = subprocess.run([sys.executable, program], check=False, capture_output=True, text=True, cwd=root,
                          env={**os.environ, "PYTHONPATH": str(root)})  # fmt: skip
    assert "ValueError: job x" in done.stderr
    assert commands(done.stderr) == []


@pytest.mark.parametrize(
    ("stream", "encoding", "code"),
    [(">&-", "utf-8", 0), (">&- 2>&-", "utf-8", 0), (">/dev/full", "utf-8", 1), ("", "ascii", 0)],
)
def test_an_output_that_takes_nothing_is_no_traceback(stream: str, encoding: str, code: int, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import click\nfrom release import cli\nfrom release.terminal.console import new_console\n"
        "def show():\n    new_console().print('\u2192')\n    click.echo('\u2192')\n"
        "cli._Commands.get_command = lambda *_: click.Command('x', callback=show)\ncli.main(['x'])\n"
    )
    root = Path(release.__file__).parents[1]
    variables = {**os.environ, "PYTHONPATH": str(root), "PYTHONIOENCODING": encoding}
    command = f"exec '{sys.executable}' '{program}' {stream}"
    done = subprocess.run(["sh", "-c", command], check=False, capture_output=True, cwd=root, env=variables)
    assert b"Traceback" not in done.stderr
    assert done.returncode == code


def test_nothing_in_the_release_prints_past_the_guard() -> None:
    for file in sorted(Path(release.__file__).parent.rglob("*.py")):
        text = file.read_text("utf-8")
        found = re.findall(
            r"sys\.__std(?:out|err)__|\.buffer\b|os\.write\(|get_(?:text|binary)_stream|open\([12],", text
        )
        assert not found, f"{file}: {found}"


def test_a_command_of_our_own_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    with guarded():
        tell_host("##vso[task.uploadsummary]/tmp/a.md")
    assert capsys.readouterr().out == "##vso[task.uploadsummary]/tmp/a.md\n"


def test_json_gives_no_command_and_keeps_its_value() -> None:
    value = {f"##vso[a]{HOSTILE}": ["::add-mask::x", "###[b]", "\\##vso[task.setvariable variable=c]d", ":::", 'a"##']}
    raw = json.dumps(value, ensure_ascii=False)
    for written in (escaped(raw), to_json(value)):
        assert json.loads(written) == value
        assert "##" not in written
        assert "::" not in written
        assert not {letter for letter in written if letter != "\n" and not letter.isprintable()}


def test_each_command_escapes_the_json_that_it_prints() -> None:
    """A value in JSON is a text of others, too."""
    for file in sorted(Path(release.__file__).parent.rglob("command.py")):
        for line in file.read_text("utf-8").splitlines():
            if "click.echo(" in line and ("json.dumps(" in line or "model_dump_json(" in line):
                assert "click.echo(escaped(" in line, f"{file}: {line.strip()}"
