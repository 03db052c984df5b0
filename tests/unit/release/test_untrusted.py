"""What a job, a name or a message of others cannot do to the terminal of a release, or to the CI job around it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.text import Text

import release
from release.errors import ReleaseError
from release.terminal.console import new_console
from release.terminal.tables import columns, to_json
from release.untrusted import escaped, shown

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
