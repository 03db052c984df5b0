"""The packages that the commands of a Dockerfile install with pip or conda."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

_INSTRUCTION = re.compile(
    r"\s*(ADD|ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|FROM|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|RUN|SHELL|STOPSIGNAL|USER|VOLUME"
    r"|WORKDIR)\b(?:\s+--\S+)*\s*(.*)",
    re.IGNORECASE,
)
_OPERATORS = "();<>|&"
_PIP = re.compile(r"pip[\d.]*")
_CONDAS = ("conda", "mamba", "micromamba")
# Options that take the next word. Those of requirements are in `_FILES`.
_PIP_OPTIONS = frozenset(
    (
        "-C", "-b", "-d", "-f", "-i", "-p", "-t", "--abi", "--build-constraint", "--cache-dir", "--cert",
        "--client-cert", "--config-setting", "--config-settings", "--default-index", "--exclude-newer",
        "--exists-action", "--extra-index-url", "--find-links", "--global-option", "--group", "--implementation",
        "--index", "--index-url",
        "--keyring-provider", "--link-mode", "--log", "--no-binary", "--only-binary", "--platform", "--prefix",
        "--progress-bar", "--proxy", "--python", "--python-platform", "--python-version", "--report", "--retries",
        "--root", "--root-user-action", "--src", "--target", "--timeout", "--trusted-host", "--upgrade-package",
        "--upgrade-strategy", "--use-deprecated", "--use-feature",
    )
)  # fmt: skip
_CONDA_OPTIONS = frozenset(
    ("-c", "-n", "-p", "-r", "--channel", "--name", "--prefix", "--root-prefix", "--solver", "--platform", "--subdir")
)
_FILES = frozenset(("-c", "-r", "--constraint", "--requirement"))
_EDITABLE = frozenset(("-e", "--editable"))


@dataclass
class Installed:
    """What a command installs: `packages` by their specifications, and the names of `files` with requirements."""

    by_conda: bool
    packages: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


def installed(lines: str) -> Iterator[Installed]:
    """Yield what the commands of a Dockerfile install. Its lines are joined, and have no comments and variables."""
    for line in lines.splitlines():
        instruction = _INSTRUCTION.match(line)
        if instruction is None:
            yield from _of_shell(line)  # of a script between `RUN <<EOF` and `EOF`
        elif instruction[1].upper() == "RUN":
            yield from _of_shell(_as_shell(instruction[2]))


def _as_shell(command: str) -> str:
    """Return the command of a RUN instruction, which can be a list, as a shell takes it."""
    try:
        words = json.loads(command)
    except ValueError:
        return command
    return shlex.join(map(str, words)) if isinstance(words, list) else command


def _of_shell(line: str) -> Iterator[Installed]:
    words: list[str] = []
    left = iter([*_words(line), ";"])
    for word in left:
        if not set(word) <= set(_OPERATORS):
            words.append(word)
        elif set(word) & set("<>"):
            next(left, None)  # the file of a redirection, after which the command continues
        else:
            yield from _of_command(words)
            words = []


def _words(line: str) -> list[str]:
    reader = shlex.shlex(line, posix=True, punctuation_chars=_OPERATORS)
    reader.whitespace_split, reader.commenters = True, ""
    try:
        return list(reader)
    except ValueError:  # a quote without an end
        return line.split()


def _of_command(words: list[str]) -> Iterator[Installed]:
    for place, word in enumerate(words):
        name, rest = PurePosixPath(word).name, words[place + 1 :]
        if any(letter.isspace() for letter in word):
            yield from _of_shell(word)  # `sh -c "pip install …"`
        elif _PIP.fullmatch(name) and "install" in rest:
            yield _of_pip(rest[rest.index("install") + 1 :])
            return
        elif name in _CONDAS and rest[:1] in (["install"], ["create"]):
            yield _of_conda(rest[1:])
            return


def _of_pip(words: list[str]) -> Installed:
    found, left = Installed(by_conda=False), iter(words)
    for word in left:
        option, _, value = word.partition("=")
        if option in _FILES:
            found.files.append(value or next(left, ""))
        elif word[:2] in _FILES and len(word) > 2:
            found.files.append(word[2:])
        elif option in _EDITABLE:
            found.packages.append(value or next(left, ""))
        elif word in _PIP_OPTIONS:
            next(left, None)
        elif not word.startswith("-"):
            found.packages.append(word)
    return found


def _of_conda(words: list[str]) -> Installed:
    found, left = Installed(by_conda=True), iter(words)
    for word in left:
        if word in _CONDA_OPTIONS or word in ("-f", "--file"):
            next(left, None)
        elif not word.startswith("-"):
            found.packages.append(word)
    return found
