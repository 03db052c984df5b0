from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bootstrap import python_environment
from bootstrap.errors import SetupError
from bootstrap.phases import Task
from bootstrap.python_environment import PythonEnvironment, Uv, index_environment, pip_command, runs


def without(monkeypatch: pytest.MonkeyPatch, *missing: str) -> None:
    """A Python that lacks some modules."""
    real = importlib.util.find_spec

    def find_spec(name: str) -> importlib.machinery.ModuleSpec | None:
        return None if name in missing else real(name)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)


def test_uv_on_path_is_taken_when_new_enough(programs: Callable[[str, str], Path], task: Task) -> None:
    uv = programs("uv", "echo uv 0.9.1")
    found = Uv().run(task)
    assert found.facts == {"uv_path": str(uv)}
    assert found.summary == "0.9.1 on PATH"


@pytest.mark.parametrize("script", ["echo uv 0.1.24", "exit 1", "echo hello"])
def test_an_unusable_uv_on_path_is_passed_over_for_one_in_the_cache(
    programs: Callable[[str, str], Path], task: Task, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    programs("uv", script)
    # pip's part: `install --target FOLDER`; whether the system's Python is externally managed does not matter to it.
    pip = programs(
        "pip",
        '[ "$1 $2" = "install --target" ] && [ "$PIP_USER" = 0 ] || exit 9\n'
        'mkdir -p "$3/bin" && printf "#!/bin/sh\\necho uv 0.13.8\\n" > "$3/bin/uv" && chmod +x "$3/bin/uv"',
    )
    calls: list[Path] = []

    def command(_: Task, folder: Path) -> list[str]:
        calls.append(folder)
        return [str(pip)]

    monkeypatch.setattr(python_environment, "pip_command", command)
    found = Uv().run(task)
    assert found.summary == "0.13.8 in the cache"
    assert Path(found.facts["uv_path"]).is_relative_to(task.layout.cache)
    assert Uv().run(task) == found
    assert len(calls) == 1


def test_pip_of_this_interpreter_comes_first(monkeypatch: pytest.MonkeyPatch, task: Task, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: importlib.machinery.ModuleSpec(name, None))
    assert pip_command(task, tmp_path / "pip") == [sys.executable, "-m", "pip"]


def test_without_pip_a_private_environment_has_one(monkeypatch: pytest.MonkeyPatch, task: Task, tmp_path: Path) -> None:
    without(monkeypatch, "pip")
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\n[ "$1 $2" = "-m venv" ] && mkdir -p "$3"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    assert pip_command(task, tmp_path / "pip") == [str(tmp_path / "pip" / "bin" / "python"), "-m", "pip"]
    assert (tmp_path / "pip").is_dir()


def test_without_pip_and_ensurepip_the_error_names_the_package(
    monkeypatch: pytest.MonkeyPatch, task: Task, tmp_path: Path
) -> None:
    without(monkeypatch, "pip", "ensurepip")
    with pytest.raises(SetupError, match="neither pip nor ensurepip") as caught:
        pip_command(task, tmp_path / "pip")
    assert "apt-get install python3-venv" in caught.value.fix


def test_uv_learns_pips_index_and_certificates_where_it_has_none() -> None:
    environment = {"PIP_INDEX_URL": "https://mirror/simple", "PIP_CERT": "/ca.pem", "VIRTUAL_ENV": "/other"}
    assert index_environment(environment) == {
        **{key: value for key, value in environment.items() if key != "VIRTUAL_ENV"},
        "UV_DEFAULT_INDEX": "https://mirror/simple",
        "SSL_CERT_FILE": "/ca.pem",
        "UV_NO_PROGRESS": "1",
    }
    own = {"PIP_INDEX_URL": "https://a", "UV_DEFAULT_INDEX": "https://b"}
    assert index_environment(own)["UV_DEFAULT_INDEX"] == "https://b"


def test_the_environment_is_made_synchronised_and_gets_the_project_without_network(task: Task) -> None:
    uv = Path(task.need("uv").facts["uv_path"])
    log = uv.with_name("calls")
    uv.write_text(
        f'#!/bin/sh\necho "$@" >> {log}\n[ "$1" = venv ] && ln -sf {sys.executable} {task.layout.bin}/python\nexit 0\n'
    )
    uv.chmod(0o755)
    found = PythonEnvironment().run(task)
    venv, sync, install = log.read_text().splitlines()
    assert venv.startswith("venv --clear")
    assert "pip sync" in sync
    assert "--require-hashes" in sync
    assert "--no-build-isolation --offline -e" in install
    assert found.facts["version"] == ".".join(str(part) for part in sys.version_info[:3])
    # The environment is there now: it is synchronised, not made anew.
    PythonEnvironment().run(task)
    assert [line.split()[0] for line in log.read_text().splitlines()] == ["venv", "pip", "pip", "pip", "pip"]


def test_a_new_lock_or_script_counts_and_a_linters_setting_does_not(task: Task) -> None:
    project, lock = task.layout.repository / "pyproject.toml", task.layout.repository / "requirements.lock"
    first = PythonEnvironment().inputs(task.layout)
    project.write_text(project.read_text().replace("line-length = 120", "line-length = 121"))
    assert PythonEnvironment().inputs(task.layout) == first
    project.write_text(project.read_text().replace("[project.scripts]", '[project.scripts]\nother = "x:y"'))
    second = PythonEnvironment().inputs(task.layout)
    assert second != first
    lock.write_text(lock.read_text() + "\n")
    assert PythonEnvironment().inputs(task.layout) != second


def test_runs_tells_working_interpreters(tmp_path: Path) -> None:
    assert runs(Path(sys.executable))
    assert not runs(tmp_path / "nothing")
    old = tmp_path / "old"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    assert not runs(old)
