"""The commands that the documentation shows, read from its fenced blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The Makefile, and what it includes.
MAKEFILES = [ROOT / "Makefile", ROOT / "examples" / "targets.mk", ROOT / "tests" / "targets.mk"]
# These end the local Azure, and what is in it.
ENDING = {"make down", "make clean", ".venv/bin/amlite stop", ".venv/bin/amlite reset --yes"}
_FENCE = re.compile(r"^```(?P<language>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Command:
    """A shell command of a page; `azure` says that it is meant for a real subscription."""

    page: str
    text: str
    azure: bool


def pages() -> list[Path]:
    """Return every page, README first."""
    packages = [*ROOT.glob("packages/*/README.md"), *ROOT.glob("packages/*/docs/**/*.md")]
    return [*_pages_of_the_repository(), *sorted(packages)]


def commands() -> list[Command]:
    """Return the commands of all ```sh blocks in their order; a block is split where its quotes are closed.

    Those of a package's pages are not among them: they are typed elsewhere than in this repository.
    """
    found = []
    for page in _pages_of_the_repository():
        for fence in _FENCE.finditer(page.read_text("utf-8")):
            language, _, rest = fence["language"].partition(" ")
            if language == "sh":
                name = str(page.relative_to(ROOT))
                found += [Command(name, text, rest == "azure") for text in _split(fence["body"])]
    return found


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return _FENCE.sub("", page.read_text("utf-8"))


def _pages_of_the_repository() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _split(body: str) -> list[str]:
    lines: list[str] = []
    for line in body.splitlines():
        if lines and lines[-1].count('"') % 2:
            lines[-1] += f"\n{line}"
        elif line.strip():
            lines.append(line)
    return lines
