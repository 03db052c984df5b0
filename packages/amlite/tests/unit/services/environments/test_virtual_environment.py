from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from amlite.core.platform import Platform
from amlite.services.environments import UnusableEnvironment, keeping, virtual_environment
from amlite.services.environments.confinement import Confinement
from amlite.services.environments.packages import Packages
from amlite.services.environments.processes import VirtualEnvironment

OWN = f"{sys.version_info.major}.{sys.version_info.minor}"
POSSIBLE = subprocess.run(["unshare", "-rmn", "true"], check=False, capture_output=True).returncode == 0
EMPTY = Packages(OWN, (), "conda.yml")


def silent(_line: str) -> None:
    """Drop a line."""


def project(folder: Path, name: str) -> str:
    """Write an installable project and return the requirement that names it: no package index is asked."""
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "1"\n'
        f'[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    (folder / "backend.py").write_text(
        "import zipfile\n"
        "def build_wheel(folder, config_settings=None, metadata_directory=None):\n"
        f"    name = '{name}-1-py3-none-any.whl'\n"
        "    with zipfile.ZipFile(f'{folder}/{name}', 'w') as wheel:\n"
        f"        wheel.writestr('{name}.py', 'answer = 42')\n"
        f"        wheel.writestr('{name}-1.dist-info/METADATA', "
        f"'Metadata-Version: 2.1\\nName: {name}\\nVersion: 1\\n')\n"
        f"        wheel.writestr('{name}-1.dist-info/WHEEL', "
        "'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n"
        f"        wheel.writestr('{name}-1.dist-info/RECORD', '')\n"
        "    return name\n"
    )
    return f"{name} @ {folder.as_uri()}"


def commit(folder: Path) -> None:
    """Make a folder a repository of git with one commit."""
    for command in (("init", "-q"), ("add", "."), ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a")):
        subprocess.run(["git", *command], cwd=folder, check=True)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return the folder of an environment that was used 40 days ago."""
    folder = tmp_path / "0123"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").touch()
    keeping.lock_of(folder).touch()
    os.utime(keeping.lock_of(folder), (time.time() - 40 * 86400,) * 2)
    return folder


def test_an_environment_that_was_not_used_for_a_month_is_deleted(old: Path) -> None:
    keeping.trim(old.parent)
    assert not old.exists()
    assert not keeping.use(old)


def test_an_environment_of_a_read_only_cache_is_used(tmp_path: Path) -> None:
    folder = tmp_path / "known"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").touch()
    keeping.lock_of(folder).mkdir()  # nobody can write this one either
    assert keeping.use(folder)


def test_an_environment_that_is_used_stays(old: Path) -> None:
    assert keeping.use(old)
    keeping.trim(old.parent)
    assert old.exists()


def test_an_environment_that_a_program_runs_in_stays(old: Path) -> None:
    with subprocess.Popen(["sleep", "60"], env={"PATH": os.defpath, "VIRTUAL_ENV": str(old)}) as program:
        keeping.trim(old.parent)
        program.kill()
    assert old.exists()


def test_an_environment_that_is_being_built_stays(old: Path) -> None:
    with keeping.lock_of(old).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        keeping.trim(old.parent)
        assert not keeping.use(old)
    assert old.exists()


@pytest.mark.parametrize(("free", "stays"), [(1 << 30, False), (1 << 40, True)])
def test_a_disk_without_space_keeps_what_was_used_on_the_last_day(
    old: Path, monkeypatch: pytest.MonkeyPatch, free: int, stays: bool
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    today = old.with_name("4567")
    old.rename(today)
    assert keeping.use(today)
    today.rename(old)
    os.utime(keeping.lock_of(old), (time.time() - 2 * 86400,) * 2)
    shutil.copytree(old, today)
    keeping.trim(old.parent)
    assert (old.exists(), today.exists()) == (stays, True)


async def test_an_environment_has_its_packages_and_python(platform: Platform, tmp_path: Path) -> None:
    packages = Packages(OWN, (project(tmp_path / "made", "made"),), "requirements.txt")
    lines: list[str] = []
    folder = await virtual_environment.ensure(platform, packages, lines.append)
    argv, environment = VirtualEnvironment(folder, "any").command(
        ["python", "-c", "import made, sys; print(made.answer, sys.prefix)"],
        cwd=tmp_path, environment={}, folders=[], inputs=[], ports=[], name="any",
    )  # fmt: skip
    done = await asyncio.create_subprocess_exec(*argv, env=environment, stdout=asyncio.subprocess.PIPE)
    output, _ = await done.communicate()
    assert output.decode().split() == ["42", str(folder)]
    assert lines[0] == f"building a virtual environment of Python {OWN} from requirements.txt"


async def test_another_patch_release_takes_the_place_of_one_that_is_not_to_be_had(platform: Platform) -> None:
    lines: list[str] = []
    folder = await virtual_environment.ensure(platform, Packages(f"{OWN}.99", (), "python:3"), lines.append)
    assert (folder / "bin" / "python").exists()
    assert lines[-1] == (f"Python {OWN}.99 cannot be downloaded: the Python {OWN} of this machine takes its place")
    with pytest.raises(UnusableEnvironment, match=r"Python 3\.99\.1, which python:3 asks for"):
        await virtual_environment.ensure(platform, Packages("3.99.1", (), "python:3"), silent)


async def test_it_is_built_once_however_many_want_it(platform: Platform) -> None:
    lines: list[str] = []
    folders = await asyncio.gather(*(virtual_environment.ensure(platform, EMPTY, lines.append) for _ in range(3)))
    assert len(set(folders)) == 1
    assert sum(line.startswith("building") for line in lines) == 1
    again: list[str] = []
    await virtual_environment.ensure(platform, EMPTY, again.append)
    assert not again


async def test_a_failed_build_says_why_and_leaves_nothing(platform: Platform, tmp_path: Path) -> None:
    packages = Packages(OWN, (f"gone @ {(tmp_path / 'gone').as_uri()}",), "requirements.txt")
    with pytest.raises(UnusableEnvironment, match=r"(?s)the packages of requirements\.txt cannot be installed.*gone"):
        await virtual_environment.ensure(platform, packages, silent)
    assert [path.name for path in virtual_environment.cache_folder().iterdir() if path.is_dir()] == []


async def test_what_an_interrupted_build_left_is_not_taken_for_whole(platform: Platform) -> None:
    left = (virtual_environment.cache_folder() / EMPTY.digest).with_suffix(".building")
    (left / "bin").mkdir(parents=True)
    (left / "bin" / "python").touch()
    folder = await virtual_environment.ensure(platform, EMPTY, silent)
    assert (folder / "pyvenv.cfg").is_file()
    assert not left.exists()


async def test_a_cancelled_build_leaves_nothing(platform: Platform) -> None:
    started = asyncio.Event()
    task = asyncio.create_task(virtual_environment.ensure(platform, EMPTY, lambda _line: started.set()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [path.name for path in virtual_environment.cache_folder().iterdir() if path.is_dir()] == []


def test_programs_inherit_nobodys_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "somebody's")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    argv, environment = VirtualEnvironment(tmp_path, "any").command(
        ["sh", "-c", "true"], cwd=tmp_path, environment={"GIVEN": "1"}, folders=[], inputs=[], ports=[], name="any"
    )
    assert argv == ["sh", "-c", "true"]
    assert environment["GIVEN"] == "1"
    assert not {"AZURE_CLIENT_SECRET", "PYTHONPATH"} & set(environment)
    assert environment["PATH"].startswith(f"{tmp_path}/bin:")


@pytest.fixture
def reachable(platform: Platform) -> Iterator[Path]:
    """Return a folder that confined programs see, and let amlite have the proxy that they reach."""
    with socket.create_server(("127.0.0.1", 0)) as proxy, tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        platform.environment["HTTPS_PROXY"] = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        (platform.state / "key").write_text("KEY")
        yield Path(folder)


def spies(platform: Platform, marker: Path) -> str:
    """Return a program that looks for a key and for a way to write outside."""
    return (
        "import contextlib, pathlib\n"
        "with contextlib.suppress(OSError):\n"
        f"    key = pathlib.Path('{platform.state / 'key'}')\n"
        f"    pathlib.Path('{marker}').write_text(key.read_text() if key.exists() else 'started')\n"
    )


@pytest.mark.attack
@pytest.mark.skipif(not POSSIBLE, reason="this machine allows no namespaces")
async def test_a_package_is_built_without_access_to_this_machine(platform: Platform, reachable: Path) -> None:
    made = reachable / "made"
    requirement = project(made, "made")
    program = spies(platform, reachable / "marker")
    (made / "backend.py").write_text(f"{program}{(made / 'backend.py').read_text()}")
    lines: list[str] = []
    folder = await virtual_environment.ensure(platform, Packages(OWN, (requirement,), "conda.yml"), lines.append)
    assert any("built without access" in line for line in lines)
    assert [path.name for path in folder.rglob("made.py")] == ["made.py"]
    assert not (reachable / "marker").exists()
    assert not (folder / "cache").exists()


@pytest.mark.attack
@pytest.mark.skipif(not POSSIBLE, reason="this machine allows no namespaces")
async def test_what_a_wheel_starts_with_the_interpreter_is_confined(platform: Platform, reachable: Path) -> None:
    wheel = reachable / "evil-1-py3-none-any.whl"
    program = spies(platform, reachable / "marker")
    with zipfile.ZipFile(wheel, "w") as made:
        made.writestr("evil.pth", f"import base64; exec({program!r})\n")
        made.writestr("evil.py", "answer = 42\n")
        made.writestr("evil-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: evil\nVersion: 1\n")
        made.writestr("evil-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        made.writestr("evil-1.dist-info/RECORD", "")
    packages = Packages(OWN, (f"evil @ {wheel.as_uri()}",), "conda.yml")
    folder = await virtual_environment.ensure(platform, packages, silent)
    assert len(list(folder.rglob("evil*.pyc"))) == 1
    assert not (reachable / "marker").exists()


@pytest.mark.attack
@pytest.mark.skipif(not POSSIBLE, reason="this machine allows no namespaces")
async def test_a_package_does_not_show_programs_another_folder_as_that_of_the_interpreter(
    platform: Platform, reachable: Path
) -> None:
    made = reachable / "made"
    requirement = project(made, "made")
    packages = Packages(OWN, (requirement,), "conda.yml")
    python = (virtual_environment.cache_folder() / packages.digest).with_suffix(".building") / "bin" / "python"
    hides = f"    import os; os.unlink('{python}'); os.symlink('{platform.state}/a/b', '{python}')\n    return name"
    (made / "backend.py").write_text((made / "backend.py").read_text().replace("    return name", hides))
    with pytest.raises(UnusableEnvironment, match="replaces the interpreter"):
        await virtual_environment.ensure(platform, packages, silent)


@pytest.mark.attack
@pytest.mark.skipif(not POSSIBLE, reason="this machine allows no namespaces")
async def test_a_package_that_was_built_does_not_show_another_folder_to_what_starts_next(
    platform: Platform, reachable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Path] = []
    line = Confinement.line

    def watched(self: Confinement, *command: Any, read: list[Path], **options: Any) -> list[str]:
        shown.extend(read)
        return line(self, *command, read=read, **options)

    monkeypatch.setattr(Confinement, "line", watched)
    made = reachable / "made"
    packages = Packages(OWN, (project(made, "made"),), "conda.yml")
    python = (virtual_environment.cache_folder() / packages.digest).with_suffix(".building") / "bin" / "python"
    hides = f"    import os; os.unlink('{python}'); os.symlink('{platform.state}/a/b', '{python}')\n    return name"
    (made / "backend.py").write_text((made / "backend.py").read_text().replace("    return name", hides))
    with pytest.raises(UnusableEnvironment, match="replaces the interpreter"):
        await virtual_environment.ensure(platform, packages, silent)
    assert platform.state not in shown


@pytest.mark.attack
@pytest.mark.skipif(not POSSIBLE, reason="this machine allows no namespaces")
async def test_a_source_in_git_is_not_fetched_with_the_keys_of_the_user(
    platform: Platform, reachable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache of uv keeps it, which a job reads."""
    monkeypatch.setenv("UV_CACHE_DIR", str(reachable / "uv"))
    project(reachable / "made", "made")
    commit(reachable / "made")
    packages = Packages(OWN, (f"made @ git+{(reachable / 'made').as_uri()}",), "conda.yml")
    folder = await virtual_environment.ensure(platform, packages, silent)
    assert [path.name for path in folder.rglob("made.py")] == ["made.py"]
    assert list((reachable / "uv").rglob("backend.py")) == []


@pytest.mark.attack
@pytest.mark.skipif(not POSSIBLE, reason="this machine allows no namespaces")
async def test_a_wheel_does_not_change_what_other_environments_get_from_the_cache(
    platform: Platform, reachable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is the same one in the cache would also be changed for your own environments of uv."""
    monkeypatch.setenv("UV_CACHE_DIR", str(virtual_environment.cache_folder().parent / "uv"))
    for name, start in (("good", ""), ("evil", "good.py")):
        with zipfile.ZipFile(reachable / f"{name}-1-py3-none-any.whl", "w") as made:
            made.writestr(f"{name}.py", "answer = 42\n")
            if start:
                program = (
                    f"import pathlib, site; pathlib.Path(site.getsitepackages()[0], {start!r}).open('a').write('#')"
                )
                made.writestr("evil.pth", f"{program}\n")
            made.writestr(f"{name}-1.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
            made.writestr(f"{name}-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            made.writestr(f"{name}-1.dist-info/RECORD", "")
    good, evil = (f"{name} @ {(reachable / f'{name}-1-py3-none-any.whl').as_uri()}" for name in ("good", "evil"))
    await virtual_environment.ensure(platform, Packages(OWN, (good, evil), "conda.yml"), silent)
    clean = await virtual_environment.ensure(platform, Packages(OWN, (good,), "conda.yml"), silent)
    assert next(clean.rglob("good.py")).read_text() == "answer = 42\n"


@pytest.mark.attack
async def test_uv_takes_no_settings_of_the_working_folder(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be a project of somebody else, whose settings say from where a Python is downloaded, and run."""
    (tmp_path / "foreign").mkdir()
    monkeypatch.chdir(tmp_path / "foreign")
    (tmp_path / "foreign" / "uv.toml").write_text("required-version = '==0.0.1'\n")
    folder = await virtual_environment.ensure(
        platform, Packages(OWN, (project(tmp_path / "made", "made"),), "a"), silent
    )
    assert [path.name for path in folder.rglob("made.py")] == ["made.py"]
