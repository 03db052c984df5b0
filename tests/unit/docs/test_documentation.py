"""The documentation is true: its links, its make targets, its commands and options."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from amlite.cli import main as amlite
from azureml_fixtures import kinds_table
from release.cli import main as release
from tests.bench.__main__ import BENCHES
from tests.documentation import MAKEFILES, ROOT, Command, commands, pages, prose

BIN = Path(sys.executable).parent
PROGRAMS = {"amlite": amlite, "release": release}
TARGETS = [
    target for file in MAKEFILES for target in re.findall(r"^([a-z-]+):.*## ", file.read_text("utf-8"), re.MULTILINE)
]


def commands_of(program: click.Group) -> dict[str, click.Command]:
    """Return a program's commands by name. The release imports a command when it is asked for it."""
    context = click.Context(program)
    return {name: each for name in program.list_commands(context) if (each := program.get_command(context, name))}


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"https?:", target):
            continue
        path, _, heading = target.partition("#")
        there = page.parent / path if path else page
        headings = (
            re.findall(r"^#+ (.*)$", there.read_text("utf-8"), re.MULTILINE) if heading and there.is_file() else []
        )
        if not there.exists() or (heading and heading not in map(anchor, headings)):
            broken.append(target)
    assert broken == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    todo = [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose(page))
        todo += [(page.parent / target).resolve() for target in targets if not target.startswith("http")]
    assert [str(page.relative_to(ROOT)) for page in pages() if page not in seen] == []


def test_the_table_of_kinds_is_current_and_without_a_gap() -> None:
    text = kinds_table.PAGE.read_text("utf-8")
    assert text == kinds_table.generate(), "generate it: see kinds_table"
    assert "| no |" not in text


def test_the_readme_shows_every_make_target_and_no_other() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    shown = {command.text.split()[1] for command in commands() if command.text.startswith("make ")}
    assert shown == set(TARGETS)
    mentioned = {word for page in pages() for word in re.findall(r"`make ([a-z-]+)", page.read_text("utf-8"))}
    assert mentioned <= set(TARGETS)
    assert "make up\nmake test\n" in readme


def test_make_help_lists_every_target() -> None:
    printed = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert re.findall(r"^  make ([a-z-]+)", printed, re.MULTILINE) == TARGETS


def test_every_folder_of_the_tour_exists_and_every_folder_is_in_it() -> None:
    tour = re.findall(r"^\| `([\w./]+?)/?` \|", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    tracked = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    folders = {name.partition("/")[0] for name in tracked if "/" in name and not name.startswith(".")}
    assert [name for name in tour if not (ROOT / name).exists()] == []
    assert folders - {name.partition("/")[0] for name in tour} == set()


@pytest.mark.parametrize(("program", "page"), [("amlite", "local-azure.md"), ("release", "release.md")])
def test_every_command_is_documented(program: str, page: str) -> None:
    text = (ROOT / "docs" / page).read_text("utf-8")
    documented = re.findall(rf"^\| `{program} ([a-z-]+)` \|", text, re.MULTILINE)
    assert sorted(documented) == sorted(commands_of(PROGRAMS[program]))


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_mentioned_command_exists(program: str) -> None:
    mentioned = {word for page in pages() for word in re.findall(rf"`{program} ([a-z-]+)", page.read_text("utf-8"))}
    assert mentioned - set(commands_of(PROGRAMS[program])) == set()


def test_every_mentioned_module_can_be_run() -> None:
    modules = {name for page in pages() for name in re.findall(r"python3? -m ([\w.]+)", page.read_text("utf-8"))}
    assert {name for name in modules if importlib.util.find_spec(name) is None} == set()


def test_every_option_of_the_release_is_documented() -> None:
    text = (ROOT / "docs" / "release.md").read_text("utf-8")
    options = {
        option
        for command in commands_of(release).values()
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
    }
    assert "--stack" in options
    # These are what happens anyway; their other sides are documented.
    assert {option for option in options if option not in text} - {"--promote", "--train"} == set()


def test_every_service_folder_of_amlite_is_documented() -> None:
    text = (ROOT / "docs" / "local-azure.md").read_text("utf-8")
    folder = ROOT / "packages" / "amlite" / "src" / "amlite" / "services"
    services = {path.parent.name for name in ("types.py", "routes.py") for path in folder.glob(f"*/{name}")}
    assert {name for name in services if f"services/{name}/" not in text} == set()


def test_every_benchmark_is_documented() -> None:
    text = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
    assert re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE) == list(BENCHES)


@pytest.mark.parametrize("command", [c for c in commands() if c.azure], ids=lambda c: c.text)
def test_commands_for_a_real_subscription_are_understood(command: Command) -> None:
    words = shlex.split(command.text)
    if ">" in words:  # the shell's
        words = words[: words.index(">")]
    program = Path(words[0]).name
    if program == "make":
        subprocess.run(["make", "--dry-run", *words[1:]], cwd=ROOT, check=True, capture_output=True)
    elif program == "release":
        _parse(PROGRAMS[program], words[1:])
    elif program == "pulumi":
        _in_the_help_of_pulumi(words[1:])
    else:
        # The Azure CLI is not part of the environment. This is what infra/cloud.py tells its user to type, too.
        assert program == "az"
        assert words[1:3] == ["login", "--tenant"]
        assert f"{shlex.join(words[:3])} " in (ROOT / "infra" / "cloud.py").read_text("utf-8")


def _parse(group: click.Group, words: list[str]) -> None:
    name, command, rest = group.resolve_command(click.Context(group), words)
    assert command is not None
    command.make_context(name, rest)


def _in_the_help_of_pulumi(words: list[str]) -> None:
    """Its help lists options, but no command by its other name (`init` for `new`): an unknown one gets its parent's."""
    command = words[: 2 if words[0] in ("config", "stack") else 1]
    told = _help_of_pulumi(command)
    assert told != _help_of_pulumi(command[:-1]), f"pulumi has no command {command}"
    for option in (word for word in words if word.startswith("-")):
        assert re.search(rf"(^|\s){re.escape(option)}[,\s]", told), f"{option} is not in:\n{told}"


def _help_of_pulumi(command: list[str]) -> str:
    environment = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    asked = [str(BIN / "pulumi"), *command, "--help"]
    return subprocess.run(asked, env=environment, check=True, capture_output=True, text=True).stdout
