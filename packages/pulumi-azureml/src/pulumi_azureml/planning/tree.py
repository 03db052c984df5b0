"""The contents of a file or folder: its relevant files, their digests, and a hash that is equal on every machine."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pulumi_azureml.planning.ignore import IgnoreRules, rules_for
from pulumi_azureml.planning.stat_cache import StatCache, stamp_of

_CHUNK = 1 << 20
# Like git, treat a file as binary if it has a NUL among its first bytes.
_SNIFF = 8000
# Above this many files, state and previews list folders (each line takes about 65 bytes of Pulumi state).
LISTED_FILES = 50
_SHOWN = 60
# What Python makes of the bytes of a name that is not UTF-8.
_NOT_TEXT = re.compile("[\ud800-\udfff]")
SHORT = 12
_GIT = ".git"
ZIP = ".zip"


class TreeError(Exception):
    """A file or folder that cannot be part of an asset: `path` (relative to the root), the reason, and the `fix`."""

    def __init__(self, path: str, reason: str, fix: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path, self.reason, self.fix = path, reason, fix


@dataclass(frozen=True)
class TreeFile:
    """One file: `path` inside the tree, `source` on this machine, `digest` of its content (full SHA-256, hex)."""

    path: str
    source: str
    digest: str


@dataclass(frozen=True)
class Tree:
    """A file or folder as an asset sees it. `path` is relative to the root; `files` are sorted by their path.

    `is_parsed`: the digest is that of the parsed content of a YAML file.
    """

    path: str
    files: tuple[TreeFile, ...]
    is_folder: bool
    is_parsed: bool = False

    @property
    def hash(self) -> str:
        """SHA-256, hex, over names and contents. Modes, times, line endings and the checkout's place do not count."""
        total = hashlib.sha256()
        for file in self.files:
            total.update(f"{file.path if self.is_folder else ''}\0{file.digest}\n".encode())
        return total.hexdigest()

    def listing(self) -> dict[str, str]:
        """Path relative to the root → short digest; per folder (`src/`) when there are too many files to list."""
        if not self.is_folder:
            return {self.path: self.files[0].digest[:SHORT]}
        prefix = "" if self.path == "." else self.path + "/"
        if len(self.files) <= LISTED_FILES:
            return {prefix + file.path: file.digest[:SHORT] for file in self.files}
        folders: dict[str, list[TreeFile]] = {}
        for file in self.files:
            top, slash, _ = file.path.partition("/")
            folders.setdefault(top + slash, []).append(file)
        if len(folders) > LISTED_FILES:
            return {prefix: self.hash[:SHORT]}
        return {
            prefix + name: Tree(name, tuple(files), is_folder=True).hash[:SHORT]
            if name.endswith("/")
            else files[0].digest[:SHORT]
            for name, files in folders.items()
        }


def unpacked(root: Path, path: str) -> str:
    """Return the folder from which azure-ai-ml makes a zip file, or the path itself if it makes none."""
    folder = path.removesuffix(ZIP)
    return folder if folder != path and not (root / path).exists() and (root / folder).is_dir() else path


class TreeReader:
    """Reads trees below one root, remembering digests in a `StatCache`. A path is read once."""

    def __init__(self, root: Path, cache: StatCache) -> None:
        self._root = root
        self._real_root = os.path.realpath(root)
        self._cache = cache
        self._read: dict[tuple[str, str], Tree] = {}

    def read(self, path: str, *, without: str = "") -> Tree:
        """Read a file or folder given relative to the root. `without` names one file to leave out: the asset's YAML.

        Raises:
            TreeError: the path does not exist, a link is broken or leads out of the root, two names differ only in
                their encoding, or a file cannot be read.
        """
        known = self._read.get((path, without))
        if known is None:
            known = self._read[path, without] = self._read_now(path, without)
        return known

    def _read_now(self, path: str, without: str) -> Tree:
        top = self._root / path
        try:
            exists = top.exists()
        except OSError as error:
            raise TreeError(path[:_SHOWN], f"cannot be read: {error.strerror}", "correct the path") from error
        if not exists:
            raise TreeError(path, "no such file or folder", "create it, or correct the path")
        real = os.path.realpath(top)
        if self._outside(real):
            raise TreeError(path, "is outside of the project", "move it into the project")
        if _GIT in Path(real).relative_to(self._real_root).parts:
            raise TreeError(path, "belongs to git, which keeps addresses and credentials there", "name another path")
        if top.is_file():
            return Tree(
                path, (TreeFile(top.name, str(top), self._digest(str(top), path, top.stat())),), is_folder=False
            )
        folder = "" if path == "." else path
        rules = rules_for(self._root, folder)
        found: dict[str, TreeFile] = {}
        prefix = f"{folder}/" if folder else ""
        for name, source, status in self._walk(str(top), folder, rules, (os.path.realpath(top),)):
            if name == without:
                continue
            inner = unicodedata.normalize("NFC", name[len(prefix) :])
            if inner in found:
                raise TreeError(
                    name, "has the same name as another file, in another Unicode form", "rename one of the two"
                )
            found[inner] = TreeFile(inner, source, self._digest(source, name, status))
        return Tree(path, tuple(found[name] for name in sorted(found)), is_folder=True)

    def _walk(
        self, folder: str, path: str, rules: IgnoreRules, parents: tuple[str, ...]
    ) -> Iterator[tuple[str, str, os.stat_result]]:
        """Every file below a folder that is not ignored: its path from the root, its location and its status."""
        try:
            with os.scandir(folder) as listing:
                entries = list(listing)
        except OSError as error:
            raise TreeError(
                path, f"cannot be listed: {error.strerror}", "make the folder readable, or ignore it"
            ) from error
        prefix = f"{path}/" if path else ""
        for entry in entries:
            name = prefix + entry.name
            try:
                is_folder = entry.is_dir()
            except OSError as error:
                fix = "repair the link, or add it to .amlignore"
                raise TreeError(name, f"cannot be read: {error.strerror}", fix) from error
            if rules.ignores(name, is_folder=is_folder):
                continue
            real = ""
            if entry.is_symlink():
                real = self._target(entry.path, name)
                if self._is_ignored(real, is_folder=is_folder):
                    continue
            if not name.isprintable() and _NOT_TEXT.search(name):
                raise TreeError(name, "has a name that is not UTF-8", "rename it, or add it to .amlignore")
            if is_folder:
                real = real or os.path.join(parents[-1], entry.name)  # noqa: PTH118 - 100,000 Path objects are slow
                if real in parents:
                    raise TreeError(
                        name, "links to a folder that contains it", "remove the link, or add it to .amlignore"
                    )
                inner = rules.enter(Path(entry.path), name)
                yield from self._walk(entry.path, name, inner, (*parents, real))
            else:
                yield name, entry.path, entry.stat()

    def _target(self, path: str, name: str) -> str:
        real = os.path.realpath(path)
        if not os.path.lexists(real):
            raise TreeError(name, "is a link to nothing", "repair the link, or add it to .amlignore")
        if self._outside(real):
            raise TreeError(name, "is a link to outside of the project", "copy the file, or add the link to .amlignore")
        return real

    def _outside(self, real: str) -> bool:
        return real != self._real_root and not real.startswith(self._real_root + os.sep)

    def _is_ignored(self, real: str, *, is_folder: bool) -> bool:
        """Whether a link's target is itself ignored, or in an ignored folder."""
        parts = Path(real).relative_to(self._real_root).parts
        rules, path, folder = IgnoreRules().enter(self._root, ""), "", Path(self._real_root)
        for index, part in enumerate(parts):
            path = f"{path}/{part}" if path else part
            last = index == len(parts) - 1
            if rules.ignores(path, is_folder=is_folder or not last):
                return True
            folder /= part
            if not last:
                rules = rules.enter(folder, path)
        return False

    def _digest(self, source: str, name: str, status: os.stat_result) -> str:
        if not stat.S_ISREG(status.st_mode):
            raise TreeError(name, "is neither a file nor a folder", "remove it, or add it to .amlignore")
        stamp = stamp_of(status)
        known = self._cache.get(source, stamp)
        if known is None:
            try:
                known = digest(Path(source))
            except OSError as error:
                raise TreeError(
                    name, f"cannot be read: {error.strerror}", "make the file readable, or ignore it"
                ) from error
            self._cache.put(source, stamp, known)
        return known


def digest(file: Path) -> str:
    """SHA-256, hex, of a file's content; in a text file CR LF counts as LF."""
    total = hashlib.sha256()
    with file.open("rb") as stream:
        chunk = stream.read(_CHUNK)
        if b"\0" in chunk[:_SNIFF]:
            while chunk:
                total.update(chunk)
                chunk = stream.read(_CHUNK)
            return total.hexdigest()
        held = b""
        while chunk:
            chunk = held + chunk
            # A CR at the end may belong to an LF that comes with the next chunk.
            held = b"\r" if chunk.endswith(b"\r") else b""
            total.update(chunk[: len(chunk) - len(held)].replace(b"\r\n", b"\n"))
            chunk = stream.read(_CHUNK)
        total.update(held)
    return total.hexdigest()
