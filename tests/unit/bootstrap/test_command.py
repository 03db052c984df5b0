from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.checkout import clean_environment
from tests.documentation import MAKEFILES

REPOSITORY = Path(__file__).resolve().parents[3]
TARGETS = [
    "help",
    "setup",
    "up",
    "preview",
    "down",
    "environments",
    "environments-down",
    "clean",
    "test",
    "lint",
    "example",
    "example-down",
    "kubernetes",
    "kubernetes-down",
    "acceptance",
    "release-demo",
    "chaos",
    "attack",
    "bench",
]


def make(*arguments: str) -> str:
    command = ["make", "--no-print-directory", *arguments]
    clean = clean_environment()  # other tests point this process to a local Azure
    return subprocess.run(command, cwd=REPOSITORY, env=clean, capture_output=True, text=True, check=True).stdout


def test_an_old_python_can_read_the_entry_point_far_enough_to_say_so() -> None:
    ast.parse((REPOSITORY / "bootstrap/__main__.py").read_text(), feature_version=(3, 6))


def test_an_old_python_goes_on_with_a_newer_one_or_says_what_to_do(
    programs: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    entry = importlib.import_module("bootstrap.__main__")
    monkeypatch.setattr(entry, "OLDEST", (9, 0))
    with pytest.raises(SystemExit, match="needs Python 3"):
        entry._continue_with_newer_python()
    programs("python3.13", "exit 127")
    newer = programs("python3.12", "exit 0")
    started: list[list[str]] = []
    monkeypatch.setattr(sys, "argv", ["bootstrap", "--flag"])
    monkeypatch.setattr(os, "execv", lambda _, arguments: started.append(arguments))
    with pytest.raises(SystemExit):
        entry._continue_with_newer_python()
    assert started == [[str(newer), "-m", "bootstrap", "--flag"]]
    assert capfd.readouterr().err == ""


def test_set_up_imports_nothing_but_the_standard_library() -> None:
    program = (
        "import sys; sys.path = [p for p in sys.path if 'site-packages' not in p]; import bootstrap.command;"
        "names = {m.partition('.')[0] for m in sys.modules};"
        "print(sorted(names - sys.stdlib_module_names - {'bootstrap', '__main__'}))"
    )
    output = subprocess.run(
        ["python3", "-S", "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert output.stdout == "[]\n"


def test_every_target_is_in_the_help_with_a_description() -> None:
    phony = [
        target
        for file in MAKEFILES
        for target in re.findall(r"^\.PHONY: ([\w-]+)$", file.read_text("utf-8"), re.MULTILINE)
    ]
    assert phony == TARGETS
    documented = re.findall(r"^  make ([\w-]+) +\S", make("help"), re.MULTILINE)
    assert documented == TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_is_well_formed(target: str) -> None:
    assert make("--dry-run", target, "NAME=automl-container")


def test_local_goes_through_amlite_and_other_stacks_only_with_the_switch() -> None:
    assert "amlite run -- .venv/bin/release up --stack local'" in make("--dry-run", "up")
    there = make("--dry-run", "up", "STACK=dev", "AZURE=local", "TRAIN=no")
    assert 'amlite run -- .venv/bin/release --cwd ".amlite/environments" up --stack dev --no-train\'' in there
    real = make("--dry-run", "up", "STACK=dev")
    assert "amlite" not in real.replace(".amlite.lock", "").replace(str(REPOSITORY), "")
    assert ".venv/bin/release up --stack dev" in real


def test_an_example_has_a_project_of_its_own_on_the_local_azure() -> None:
    here = make("--dry-run", "example", "NAME=tacos-burritos")
    assert "bootstrap.local_stack fit dev" in here
    assert 'release --cwd ".amlite/examples/tacos-burritos" up' in here
    real = make("--dry-run", "example", "NAME=tacos-burritos", "STACK=prod")
    assert 'release --cwd "examples/tacos-burritos" up' in real
    assert "amlite run" not in real
    with pytest.raises(subprocess.CalledProcessError) as refused:
        make("--dry-run", "example")
    assert "name a folder of examples/" in refused.value.stderr


def test_only_the_local_azure_is_destroyed_by_make() -> None:
    assert 'release --cwd ".amlite/environments" down --stack prod' in make(
        "--dry-run", "down", "STACK=prod", "AZURE=local"
    )
    with pytest.raises(subprocess.CalledProcessError) as refused:
        make("--dry-run", "down", "STACK=prod")
    assert "destroy a real stack with: .venv/bin/release down -s prod" in refused.value.stderr


def test_the_switch_has_two_positions() -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        make("--dry-run", "up", "AZURE=cloud")
    assert "AZURE must be `local` or `real`" in refused.value.stderr


def test_ci_runs_lint_the_tests_and_the_demo() -> None:
    script = REPOSITORY / ".ci/run"
    assert script.stat().st_mode & 0o111
    assert re.findall(r"^make (\S+)$", script.read_text(), re.MULTILINE) == ["lint", "test", "release-demo"]


def test_no_registry_is_named() -> None:
    # Pictures are no text.
    hosts = re.compile(
        b"|".join([b"pypi" + rb"\.org", b"python" + b"hosted", b"registry" + rb"\.npmjs", b"proxy" + rb"\.golang"])
    )
    listing = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    files = [REPOSITORY / name for name in listing.stdout.splitlines()]
    named = [str(path) for path in files if path.is_file() and hosts.search(path.read_bytes())]
    assert named == []


@pytest.mark.parametrize(("before", "code"), [("SIG_IGN", 0), ("SIG_DFL", 130)])
def test_a_hang_up_interrupts_set_up_unless_nohup_started_it(before: str, code: int) -> None:
    program = (
        "import os, signal; from bootstrap import command;"
        f"signal.signal(signal.SIGHUP, signal.{before});"
        "command.set_up = lambda *_: os.kill(os.getpid(), signal.SIGHUP);"
        "command.stack_files.write = lambda *_: [];"
        "raise SystemExit(command.main([]))"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=False).returncode == code


@pytest.mark.parametrize(("umask", "mode"), [(0o000, 0o755), (0o077, 0o700)])
def test_nobody_else_can_change_what_set_up_installs(umask: int, mode: int, tmp_path: Path) -> None:
    program = (
        "import os, sys; from bootstrap import command;"
        f"os.umask({umask}); command.set_up = lambda *_: os.mkdir(sys.argv[1]);"
        "command.stack_files.write = lambda *_: []; command.main([])"
    )
    made = tmp_path / "made"
    subprocess.run([sys.executable, "-c", program, str(made)], cwd=REPOSITORY, check=True)
    assert made.stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("stack", ["local", "prod"])
def test_no_shell_is_between_make_and_an_update(stack: str) -> None:
    """A shell that gets a signal to end does not pass it on: `release up` continued without make."""
    line = make("--dry-run", "up", f"STACK={stack}").splitlines()[1]
    assert line.startswith("exec python3 -m bootstrap --exclusive ")
    assert re.search(r" sh -c '(.*&&)? *exec env [^&;]*release up [^&;]*'$", line), line
