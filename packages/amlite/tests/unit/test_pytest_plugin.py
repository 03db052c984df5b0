"""Every pytest run in an environment with amlite loads its plugin: that has to cost nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_the_plugin_imports_nothing_but_pytest() -> None:
    program = (
        "import json, sys, pytest; before = set(sys.modules); import amlite.pytest_plugin;"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert json.loads(printed) == ["amlite", "amlite.pytest_plugin"]


def test_a_failed_test_shows_the_end_of_amlites_log(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "amlite.log").write_text("".join(f"line {number}\n" for number in range(100)))
    (tmp_path / "test_it.py").write_text(
        "import pathlib, types, pytest\n"
        "@pytest.fixture\n"
        "def amlite(): return types.SimpleNamespace(state=pathlib.Path(__file__).parent)\n"
        "@pytest.fixture\n"
        "def ml_client(amlite): return amlite\n"
        "def test_fails(ml_client): assert 1 == 2\n"
        "def test_passes(ml_client): pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path / "test_it.py")]
    printed = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path).stdout
    assert printed.count("the end of amlite's log") == 1
    assert "line 99\n" in printed
    assert "line 39\n" not in printed
