"""Every pytest run in an environment with amlite loads its plugin: that has to cost nothing."""

from __future__ import annotations

import json
import subprocess
import sys


def test_the_plugin_imports_nothing_but_pytest() -> None:
    program = (
        "import json, sys, pytest; before = set(sys.modules); import amlite.pytest_plugin;"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert json.loads(printed) == ["amlite", "amlite.pytest_plugin"]
