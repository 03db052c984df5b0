"""What belongs to a folder, held against git itself, and how it is hashed."""

import os
import random
import subprocess
from pathlib import Path

import pytest

from azureml_fixtures.planned_project import Project
from pulumi_azureml.planning import stat_cache, tree
from pulumi_azureml.planning.ignore import rules_for
from pulumi_azureml.planning.stat_cache import StatCache
from pulumi_azureml.planning.tree import LISTED_FILES, Tree, TreeError, TreeReader, digest

PATTERNS = [
    "*.log",
    "build/",
    "build",
    "/top.txt",
    "!keep.log",
    "a/b",
    "**/deep.txt",
    "*.tmp",
    "!a/",
    "a/*",
    "!a/c",
    "c?.txt",
    "[ab].txt",
    "# comment",
    "",
    "d/**",
    "cache",
    "a/**/deep.txt",
    "**/b/*.txt",
    "[!a-c].*",
    "\\!x",
    "t*p",
    "*/d",
    "!**/main.py",
    "keep.log  ",
    "[[:alpha:]]1.txt",
]
NAMES = ["a", "b", "c", "d", "build", "cache"]
FILES = ["x.log", "keep.log", "top.txt", "deep.txt", "a.txt", "b.txt", "c1.txt", "t.tmp", "build", "main.py"]


def read(root: Path, path: str = ".") -> Tree:
    return TreeReader(root, StatCache(None)).read(path)


def names(root: Path, path: str = ".") -> set[str]:
    return {file.path for file in read(root, path).files}


def write(root: Path, path: str, content: bytes = b"x\n") -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


@pytest.mark.parametrize("seed", range(60))
def test_9_the_whole_gitignore_hierarchy_is_followed_as_git_does(tmp_path: Path, seed: int) -> None:
    choose = random.Random(seed)
    for _ in range(40):
        parent = tmp_path.joinpath(*choose.choices(NAMES, k=choose.randint(0, 3)))
        file = parent / choose.choice(FILES)
        if not file.is_dir() and not any(each.is_file() for each in file.parents):
            write(parent, file.name)
    for folder in [tmp_path, *(path for path in tmp_path.rglob("*") if path.is_dir())]:
        if folder == tmp_path or choose.random() < 0.4:
            write(folder, ".gitignore", "\n".join(choose.choices(PATTERNS, k=choose.randint(1, 4))).encode() + b"\n")
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True, env=environment)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--others", "--exclude-standard"],
        cwd=tmp_path,
        check=True,
        env=environment,
        capture_output=True,
        text=True,
    ).stdout
    expected = {name for name in listed.split("\0") if name and not name.endswith(".gitignore")}
    assert names(tmp_path) == expected


def test_an_amlignore_takes_the_place_of_gitignores(tmp_path: Path) -> None:
    for path in ("code/a.csv", "code/b.txt", "code/sub/c.csv", "code/sub/d.txt"):
        write(tmp_path, path)
    write(tmp_path, ".gitignore", b"*.csv\n")
    write(tmp_path, "code/.gitignore", b"*.txt\n")
    assert names(tmp_path, "code") == set()
    write(tmp_path, "code/.amlignore", b"b.txt\n")
    assert names(tmp_path, "code") == {"a.csv", "sub/c.csv", "sub/d.txt"}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("control", [".gitignore", ".amlignore"])
def test_every_pattern_counts_in_any_encoding_of_an_ignore_file(tmp_path: Path, encoding: str, control: str) -> None:
    """A byte order mark made a pattern of its first line that matches nothing, and the secret was uploaded."""
    write(tmp_path, control, "secret.txt\n*.key\n".encode(encoding))
    for name in ("secret.txt", "a.key", "main.py"):
        write(tmp_path, name)
    assert names(tmp_path) == {"main.py"}


def test_names_that_are_not_utf_8_are_ignored_byte_by_byte(tmp_path: Path) -> None:
    name = os.fsdecode("Schlüssel".encode("latin-1"))
    write(tmp_path, ".gitignore", "Schlüssel\n".encode("latin-1"))
    write(tmp_path, name)
    write(tmp_path, "main.py")
    assert names(tmp_path) == {"main.py"}


def test_caches_of_python_and_ignore_files_are_never_part_of_an_asset(tmp_path: Path) -> None:
    for path in ("a.py", "__pycache__/a.pyc", "sub/__pycache__/b.pyc", ".git/config", ".amlignore", "sub/.gitignore"):
        write(tmp_path, path, b"\n")
    assert names(tmp_path) == {"a.py"}


def test_9_ignored_folders_are_never_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "src/main.py")
    for number in range(3):
        write(tmp_path, f"node_modules/{number}/x.js")
    write(tmp_path, ".gitignore", b"node_modules/\n")
    listed: list[str] = []
    scandir = os.scandir

    def spy(path: str) -> object:
        listed.append(os.path.relpath(path, tmp_path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", spy)
    assert names(tmp_path) == {"src/main.py"}
    assert listed == [".", "src"]


def test_line_endings_of_text_do_not_count_and_those_of_binary_do(tmp_path: Path) -> None:
    unix, windows = write(tmp_path, "u", b"a\nb\n"), write(tmp_path, "w", b"a\r\nb\r\n")
    assert digest(unix) == digest(windows)
    assert digest(write(tmp_path, "b1", b"\0a\n")) != digest(write(tmp_path, "b2", b"\0a\r\n"))
    assert digest(unix) != digest(write(tmp_path, "old", b"a\rb\r"))


@pytest.mark.parametrize("offset", range(-2, 3))
def test_a_line_ending_across_chunks_is_one_line_ending(tmp_path: Path, offset: int) -> None:
    head = b"a" * ((1 << 20) + offset)
    assert digest(write(tmp_path, "w", head + b"\r\nz\r\n")) == digest(write(tmp_path, "u", head + b"\nz\n"))
    assert digest(write(tmp_path, "c", head + b"\r")) != digest(write(tmp_path, "n", head))


def test_modes_times_and_the_place_do_not_count_and_names_and_contents_do(tmp_path: Path) -> None:
    write(tmp_path, "one/a/x.py")
    other = write(tmp_path, "two/deep/x.py")
    other.chmod(0o755)
    os.utime(other, (1, 1))
    one, two = read(tmp_path, "one/a"), read(tmp_path, "two/deep")
    assert one.hash == two.hash
    other.rename(other.with_name("y.py"))
    assert read(tmp_path, "two/deep").hash != one.hash
    write(tmp_path, "one/a/x.py", b"other")
    assert read(tmp_path, "one/a").hash != one.hash


def test_a_name_in_either_unicode_form_is_one_name(tmp_path: Path) -> None:
    write(tmp_path, "one/caf\u00e9.py")
    write(tmp_path, "two/cafe\u0301.py")
    assert read(tmp_path, "one").hash == read(tmp_path, "two").hash
    write(tmp_path, "one/cafe\u0301.py")
    with pytest.raises(TreeError, match="another Unicode form"):
        read(tmp_path, "one")


def test_a_link_counts_as_what_it_points_to(tmp_path: Path) -> None:
    write(tmp_path, "shared/common.py")
    write(tmp_path, "linked/main.py")
    (tmp_path / "linked/common").symlink_to("../shared")
    (tmp_path / "linked/also.py").symlink_to("../shared/common.py")
    for path in ("main.py", "common/common.py", "also.py"):
        write(tmp_path, f"copied/{path}")
    assert read(tmp_path, "linked").hash == read(tmp_path, "copied").hash


def test_9_links_that_are_ignored_or_point_to_what_is_are_skipped(tmp_path: Path) -> None:
    write(tmp_path, "src/main.py")
    write(tmp_path, "data/big.bin")
    write(tmp_path, ".gitignore", b"data/\nbroken\n")
    (tmp_path / "src/data.bin").symlink_to("../data/big.bin")
    (tmp_path / "src/broken").symlink_to("nowhere")
    assert names(tmp_path, "src") == {"main.py"}


def test_links_that_lead_out_nowhere_or_in_a_circle_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "outside.txt")
    root = tmp_path / "root"
    for name, target, reason in (
        ("out", "../../outside.txt", "outside of the project"),
        ("none", "nowhere", "a link to nothing"),
        ("circle", "../circle", "a folder that contains it"),
    ):
        write(root, f"{name}/main.py")
        (root / name / "link").symlink_to(target)
        with pytest.raises(TreeError, match=reason):
            read(root, name)


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TreeError, match="neither a file nor a folder"):
        read(tmp_path)


def test_many_files_are_listed_by_folder(tmp_path: Path) -> None:
    for number in range(LISTED_FILES):
        write(tmp_path, f"code/src/{number}.py")
    assert len(read(tmp_path, "code").listing()) == LISTED_FILES
    write(tmp_path, "code/main.py")
    before = read(tmp_path, "code").listing()
    assert set(before) == {"code/src/", "code/main.py"}
    write(tmp_path, "code/src/7.py", b"other")
    after = read(tmp_path, "code").listing()
    assert before["code/src/"] != after["code/src/"]
    for number in range(LISTED_FILES):
        write(tmp_path, f"code/{number}.py")
    assert set(read(tmp_path, "code").listing()) == {"code/"}


def test_rules_of_a_folder_include_those_above_it(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write(".gitignore", "*.bin\n")
    assert rules_for(tmp_path, "ml/prep/src").ignores("ml/prep/src/a.bin", is_folder=False)


def cached(tmp_path: Path, cache: Path) -> tuple[str, StatCache]:
    store = StatCache.for_root(cache, tmp_path)
    result = TreeReader(tmp_path, store).read("src").hash
    store.save()
    return result, store


def aged(file: Path) -> None:
    """Make a file look settled: the cache does not enter what changed in the last moments."""
    os.utime(file, (1_600_000_000, 1_600_000_000))


def test_an_unchanged_file_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    aged(write(tmp_path, "src/a.py"))
    monkeypatch.setattr(stat_cache, "_SETTLED_NS", -1)
    first, _ = cached(tmp_path, tmp_path / "cache")

    def refuse(_: Path) -> str:
        raise AssertionError

    monkeypatch.setattr(tree, "digest", refuse)
    assert cached(tmp_path, tmp_path / "cache")[0] == first


def test_a_file_that_just_changed_is_not_entered(tmp_path: Path) -> None:
    file = write(tmp_path, "src/a.py", b"one")
    first, _ = cached(tmp_path, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
    status = file.stat()
    file.write_bytes(b"two")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert cached(tmp_path, tmp_path / "cache")[0] != first


def test_a_change_that_restores_the_time_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stat_cache, "_SETTLED_NS", -1)
    file = write(tmp_path, "src/a.py", b"one")
    aged(file)
    first, _ = cached(tmp_path, tmp_path / "cache")
    before = file.stat().st_ctime_ns
    while file.stat().st_ctime_ns == before:
        file.write_bytes(b"two")
    aged(file)
    assert cached(tmp_path, tmp_path / "cache")[0] != first


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 1}', b'{"format": 0, "files": {}}', b"\xff"])
def test_a_broken_cache_costs_nothing_but_time(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, "src/a.py")
    expected = read(tmp_path, "src").hash
    file = tmp_path / "files.json"
    file.write_bytes(content)
    assert TreeReader(tmp_path, StatCache(file)).read("src").hash == expected


@pytest.mark.attack
@pytest.mark.parametrize("path", [".git", ".git/config", "code", "code/config"])
def test_what_belongs_to_git_is_never_uploaded(path: str, tmp_path: Path) -> None:
    """Its configuration can have the addresses of repositories with tokens."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("[remote]\n")
    (tmp_path / "code").symlink_to(".git")
    with pytest.raises(TreeError, match="belongs to git"):
        TreeReader(tmp_path, StatCache(None)).read(path)
