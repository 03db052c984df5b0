"""Ignored files, which are not part of an asset: `.amlignore` and `.gitignore` in the whole hierarchy of folders.

As in `az ml`, an `.amlignore` replaces the `.gitignore` in its folder and those above it, and `__pycache__` is always
ignored. As in git and unlike `az ml`, a `.gitignore` above the asset's folder applies, one in a subfolder applies to
that subfolder, and a file in an ignored folder cannot be included again, so ignored folders are never listed.
"""

from __future__ import annotations

import codecs
import functools
import itertools
import re
from dataclasses import dataclass
from pathlib import Path

AML_IGNORE = ".amlignore"
GIT_IGNORE = ".gitignore"
_ALWAYS = frozenset({"__pycache__", ".git", AML_IGNORE, GIT_IGNORE})
_SPECIAL = re.compile(r"[*?\[\]\\]")
_CLASSES = {"alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "upper": "A-Z", "lower": "a-z", "space": r"\s"}


@dataclass(frozen=True)
class _Pattern:
    """One line. It matches single entries, because entries below an ignored folder are never checked.

    Libraries also match a pattern against everything below the entry that it names, so `!a/` would include an ignored
    `a/build` again. git does not.
    """

    glob: str
    expression: str
    ignores: bool
    folders_only: bool
    whole_path: bool


@dataclass(frozen=True)
class _Block:
    """Adjacent lines that all ignore or all re-include files or folders, matched together.

    `exact` and `endings` (as in `*.log`) are names without a regular expression, like most lines in ignore files.
    """

    ignores: bool
    exact: frozenset[str]
    endings: tuple[str, ...]
    names: re.Pattern[str] | None
    paths: re.Pattern[str] | None

    def covers(self, path: str, name: str) -> bool:
        """Whether one of the lines matches an entry."""
        return (
            name.endswith(self.endings)
            or name in self.exact
            or (self.names is not None and self.names.fullmatch(name) is not None)
            or (self.paths is not None and self.paths.fullmatch(path) is not None)
        )


@dataclass(frozen=True)
class _Rules:
    """One ignore file, its last lines first."""

    for_files: tuple[_Block, ...]
    for_folders: tuple[_Block, ...]

    def verdict(self, path: str, name: str, *, is_folder: bool) -> bool | None:
        """Return True if ignored, False if included again, else None. `path` is relative to the ignore file."""
        for block in self.for_folders if is_folder else self.for_files:
            if block.covers(path, name):
                return block.ignores
        return None


def _text(content: bytes) -> str:
    """Return the text of an ignore file in any encoding of an editor: a lost pattern would upload what it names."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    if b"\0" in content:
        return content.decode("utf-16-be" if content.startswith(b"\0") else "utf-16-le", errors="replace")
    # Names of files have bytes that are not UTF-8 in the same form.
    return content.decode("utf-8-sig", errors="surrogateescape")


@functools.lru_cache(maxsize=1024)
def _compile(text: str) -> _Rules | None:
    patterns = [pattern for pattern in map(_pattern, text.splitlines()) if pattern is not None]
    if not patterns:
        return None
    return _Rules(_blocks([each for each in patterns if not each.folders_only]), _blocks(patterns))


def _blocks(patterns: list[_Pattern]) -> tuple[_Block, ...]:
    blocks = []
    for ignores, group in itertools.groupby(reversed(patterns), key=lambda pattern: pattern.ignores):
        lines = list(group)
        simple = [line for line in lines if not line.whole_path and not _SPECIAL.search(line.glob.removeprefix("*"))]
        names, paths = (
            "|".join(f"(?:{line.expression})" for line in lines if line.whole_path == whole and line not in simple)
            for whole in (False, True)
        )
        blocks.append(
            _Block(
                ignores,
                frozenset(line.glob for line in simple if not line.glob.startswith("*")),
                tuple(line.glob[1:] for line in simple if line.glob.startswith("*")),
                re.compile(names, re.DOTALL) if names else None,
                re.compile(paths, re.DOTALL) if paths else None,
            )
        )
    return tuple(blocks)


def _pattern(line: str) -> _Pattern | None:
    """Parse a line as git does. Return None for a comment, an empty line, or a line that matches nothing."""
    line = re.sub(r"(?<!\\) +$", "", line)
    if not line or line.startswith("#"):
        return None
    ignores = not line.startswith("!")
    glob = line if ignores else line[1:]
    folders_only = glob.endswith("/")
    glob = glob.rstrip("/") if folders_only else glob
    whole_path = "/" in glob
    glob = glob.removeprefix("/")
    if not glob:
        return None
    expression = _expression(glob)
    try:
        re.compile(expression)
    except re.error:
        return None
    return _Pattern(glob, expression, ignores, folders_only, whole_path)


_TOKEN = re.compile(
    r"""(?P<into>^\*\*/+) | (?P<below>/\*\*$) | (?P<between>/\*\*/+) | (?P<star>\*+) | (?P<one>\?)
    | (?P<set>\[[!^]?\]?(?:\[:[a-z]+:\]|\\.|[^\]\\])*\]) | \\(?P<escaped>.) | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)


def _expression(glob: str) -> str:
    """Return a glob of gitignore as a regular expression."""
    parts = []
    # `a/**/**/b` is the same as `a/**/b`.
    for token in _TOKEN.finditer(re.sub(r"(?:/\*\*)+(?=/\*\*(?:/|$))", "", glob)):
        match token.lastgroup:
            case "into":
                parts.append("(?:.*/)?")
            case "below":
                parts.append("/.+")
            case "between":
                parts.append("/(?:.*/)?")
            case "star":
                parts.append("[^/]*")
            case "one":
                parts.append("[^/]")
            case "set":
                parts.append(f"(?!/){_set(token['set'][1:-1])}")
            case _:
                parts.append(re.escape(token["escaped"] or token["other"]))
    return "".join(parts)


def _set(content: str) -> str:
    """Translate the contents of a glob's brackets into a regular expression's character set."""
    negated = content[0] in "!^"
    content = content[1:] if negated else content
    content = re.sub(r"\[:([a-z]+):\]", lambda match: _CLASSES.get(match[1], ""), content)
    content = content.replace("[", r"\[").replace("&&", r"&\&").replace("||", r"|\|").replace("~~", r"~\~")
    if content.startswith("]"):
        content = "\\" + content
    return f"[{'^' if negated else ''}{content}]"


def literal(path: str) -> str:
    """Return the pattern that matches a path, whatever its names have. A line break becomes `?`."""
    escaped = _SPECIAL.sub(r"\\\g<0>", path)
    shown = "".join(each if each.splitlines() == [each] else "?" for each in escaped)
    return f"{shown[:-1]}\\ " if shown.endswith(" ") else shown


@functools.lru_cache(maxsize=64)
def _selection(patterns: tuple[str, ...]) -> _Rules | None:
    return _compile("\n".join(patterns))


def selects(patterns: tuple[str, ...], path: str) -> bool:
    """Whether patterns in the syntax of `.gitignore` match a file or one of its folders. The last match wins."""
    rules = _selection(patterns)
    if rules is None:
        return False
    parts = path.split("/")
    verdicts = (
        rules.verdict("/".join(parts[:end]), parts[end - 1], is_folder=end < len(parts))
        for end in range(len(parts), 0, -1)
    )
    return next((verdict for verdict in verdicts if verdict is not None), False)


@dataclass(frozen=True)
class IgnoreRules:
    """The rules that apply in one folder, outermost first. Create them for the root, then `enter` each folder."""

    layers: tuple[tuple[str, _Rules], ...] = ()

    def enter(self, folder: Path, path: str, names: frozenset[str] | None = None) -> IgnoreRules:
        """Return the rules inside a folder: these, and the folder's own ignore file.

        `path` is the folder relative to the root, "" for the root itself. `names` are the folder's entries, if the
        caller has listed them. Without them, the file system is read.
        """
        aml, git = (folder / AML_IGNORE, folder / GIT_IGNORE)
        for file, outer in ((aml, ()), (git, self.layers)):
            if (file.name in names) if names is not None else file.is_file():
                rules = _compile(_text(file.read_bytes()))
                return IgnoreRules((*outer, (path, rules)) if rules else tuple(outer))
        return self

    def ignores(self, path: str, *, is_folder: bool) -> bool:
        """Whether an entry of this folder is ignored. `path` is relative to the root. The innermost rule wins."""
        name = path.rpartition("/")[2]
        if name in _ALWAYS:
            return True
        for base, rules in reversed(self.layers):
            verdict = rules.verdict(path[len(base) + 1 :] if base else path, name, is_folder=is_folder)
            if verdict is not None:
                return verdict
        return False


def rules_for(root: Path, folder: str) -> IgnoreRules:
    """Return the rules that apply inside a folder. Its path is relative to the root ("" is the root)."""
    rules, path = IgnoreRules().enter(root, ""), ""
    for part in folder.split("/") if folder else ():
        path = f"{path}/{part}" if path else part
        rules = rules.enter(root / path, path)
    return rules
