"""Which files are not part of an asset: `.amlignore` and `.gitignore`, through the whole hierarchy of folders.

As `az ml`, an `.amlignore` takes the place of the `.gitignore` in its folder and of those above it, and `__pycache__`
is never part of an asset. As git and unlike `az ml`, a `.gitignore` above the asset's folder counts, one in a subfolder
counts for that subfolder, and nothing inside an ignored folder can be included again, so it is never listed.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import pathspec

AML_IGNORE = ".amlignore"
GIT_IGNORE = ".gitignore"
_ALWAYS = frozenset({"__pycache__", ".git", AML_IGNORE, GIT_IGNORE})
_GLOB = frozenset("*?[!\\/")


@dataclass(frozen=True)
class _Rules:
    """One ignore file. `names` and `suffixes` are its plain patterns, which need no regular expression."""

    names: frozenset[str]
    folder_names: frozenset[str]
    suffixes: tuple[str, ...]
    spec: pathspec.GitIgnoreSpec | None

    def verdict(self, path: str, name: str, *, is_folder: bool) -> bool | None:
        """True: ignored; False: included again; None: not mentioned. `path` is relative to the ignore file."""
        if self.spec is not None:
            return self.spec.check_file(path + "/" if is_folder else path).include
        if name in self.names or name.endswith(self.suffixes) or (is_folder and name in self.folder_names):
            return True
        return None


@functools.lru_cache(maxsize=1024)
def _compile(text: str) -> _Rules | None:
    """Compile an ignore file's text. Plain names, folder names and `*suffix` need no regular expressions."""
    lines = [line for line in (raw.rstrip() for raw in text.splitlines()) if line and not line.startswith("#")]
    if not lines:
        return None
    names, folders, suffixes = set(), set(), []
    for line in lines:
        if not _GLOB & set(line):
            names.add(line)
        elif not _GLOB & set(line[:-1]) and line.endswith("/"):
            folders.add(line[:-1])
        elif line.startswith("*") and not _GLOB & set(line[1:]) and len(line) > 1:
            suffixes.append(line[1:])
        else:
            return _Rules(frozenset(), frozenset(), (), pathspec.GitIgnoreSpec.from_lines(lines))
    return _Rules(frozenset(names), frozenset(folders), tuple(suffixes), None)


@dataclass(frozen=True)
class IgnoreRules:
    """The rules in force in one folder, outermost first. Make one for the root, then `enter` each folder."""

    layers: tuple[tuple[str, _Rules], ...] = ()

    def enter(self, folder: Path, path: str, names: frozenset[str] | None = None) -> IgnoreRules:
        """The rules inside a folder: these, and the folder's own ignore file.

        `path` is the folder relative to the root, "" for the root itself. `names` are the folder's entries where the
        caller has listed them; without them the file system is asked.
        """
        aml, git = (folder / AML_IGNORE, folder / GIT_IGNORE)
        for file, outer in ((aml, ()), (git, self.layers)):
            if (file.name in names) if names is not None else file.is_file():
                rules = _compile(file.read_bytes().decode("utf-8", errors="replace"))
                return IgnoreRules((*outer, (path, rules)) if rules else tuple(outer))
        return self

    def ignores(self, path: str, *, is_folder: bool) -> bool:
        """Whether an entry of this folder is ignored. `path` is relative to the root. The innermost verdict wins."""
        name = path.rpartition("/")[2]
        if name in _ALWAYS:
            return True
        for base, rules in reversed(self.layers):
            verdict = rules.verdict(path[len(base) + 1 :] if base else path, name, is_folder=is_folder)
            if verdict is not None:
                return verdict
        return False


def rules_for(root: Path, folder: str) -> IgnoreRules:
    """The rules in force inside a folder given by its path relative to the root ("" is the root)."""
    rules, path = IgnoreRules().enter(root, ""), ""
    for part in folder.split("/") if folder else ():
        path = f"{path}/{part}" if path else part
        rules = rules.enter(root / path, path)
    return rules
