"""A package as people install it: its wheel, in empty environments outside this repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

PACKAGE = Path(__file__).resolve().parents[2]
LOCK = PACKAGE.parents[1] / "requirements.lock"
UV = str(Path(sys.executable).with_name("uv"))
# As it was before any fixture pointed this process to a local Azure.
_ENVIRONMENT = dict(os.environ)
_OURS = ("AMLITE_", "ARM_", "AZURE_", "PULUMI_", "PYTEST_")
# A command that hangs must not hang its caller.
_LONGEST_SECONDS = 300.0


@dataclass(frozen=True)
class Shell:
    """A shell in a folder, with the programs of a virtual environment first."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, command: str, expect: int = 0, **variables: str) -> str:
        """Run a command and return what it prints, errors included."""
        done = subprocess.run(
            ["bash", "-euc", command], cwd=self.folder, env={**self.environment, **variables}, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=_LONGEST_SECONDS,
        )  # fmt: skip
        assert done.returncode == expect, f"`{command}` ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def install(self, *requirements: str) -> None:
        """Install into the virtual environment. The versions are those of the lock file, which are in the cache."""
        python = Path(self.environment["VIRTUAL_ENV"], "bin", "python")
        command = [UV, "pip", "install", "--quiet", "--python", python, "--constraint", LOCK, *requirements]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr


def build(package: Path, folder: Path) -> Path:
    """Build the wheel of a package into a folder."""
    command = [UV, "build", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", folder, package]
    subprocess.run(command, env=_ENVIRONMENT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of amlite."""
    return build(PACKAGE, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def new_shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Shell]]:
    """Return a function that opens a shell in an empty folder with an empty virtual environment."""
    opened: list[Shell] = []

    def open_() -> Shell:
        folder = tmp_path_factory.mktemp("elsewhere")
        subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, folder / ".venv"], check=True)
        kept = {name: value for name, value in _ENVIRONMENT.items() if not name.startswith(_OURS)}
        for name in ("PYTHONPATH", "MAKEFLAGS", "MAKELEVEL"):
            kept.pop(name, None)
        # No program of this repository's own environment is within reach.
        others = [each for each in kept["PATH"].split(os.pathsep) if Path(each) != Path(sys.executable).parent]
        path = os.pathsep.join([str(folder / ".venv" / "bin"), *others])
        opened.append(Shell(folder, {**kept, "VIRTUAL_ENV": str(folder / ".venv"), "PATH": path, "NO_COLOR": "1"}))
        return opened[-1]

    yield open_
    for shell in opened:
        shell.run("if command -v amlite && [ -d .amlite ]; then amlite stop; fi")
        shutil.rmtree(shell.folder)


@pytest.fixture(scope="session")
def installed(new_shell: Callable[[], Shell], wheel: Path) -> Shell:
    """Return a shell whose virtual environment has amlite, and nothing that amlite does not require."""
    shell = new_shell()
    shell.install(str(wheel))
    return shell


@pytest.fixture(scope="session")
def installed_for_tests(new_shell: Callable[[], Shell], wheel: Path) -> Shell:
    """Return a shell in a copy of the sample repository, whose virtual environment has what its tests require."""
    shell = new_shell()
    shutil.copytree(PACKAGE / "examples" / "churn", shell.folder, dirs_exist_ok=True)
    shell.install(f"amlite @ {wheel.as_uri()}", "--requirements", "pyproject.toml", "--extra", "test")
    return shell


@dataclass(frozen=True)
class Example:
    """A fenced block of a README, under its heading."""

    heading: str
    language: str
    text: str


def examples(package: Path = PACKAGE) -> list[Example]:
    """Return the fenced blocks of a package's README in their order."""
    found, heading = [], ""
    tokens = MarkdownIt().parse((package / "README.md").read_text("utf-8"))
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "heading_open" and following is not None:
            heading = following.content
        elif token.type == "fence":
            found.append(Example(heading, token.info, token.content))
    return found
