"""Threads import azure-core through one module, which has one lock."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pulumi_azureml

_ROOT = Path(pulumi_azureml.__file__).parent
_CIRCULAR = (("azure", "core"), ("azure", "identity"), ("azure", "mgmt"))

# Each thread begins with another function that a provider can call first: a question, a retry, a sign-in.
RACE = """
import sys, threading
from pulumi_azureml.operations import connection, kind, retry
sys.setswitchinterval(1e-6)
starts = [
    lambda: kind.found(lambda: None),
    lambda: retry.can_pass(ValueError()),
    connection.credential,
] * 3
errors, gate = [], threading.Barrier(len(starts))

def run(start):
    gate.wait()
    try:
        start()
    except ImportError as error:
        errors.append(error)
    except Exception as error:
        if "has no attribute" in str(error):
            errors.append(error)

threads = [threading.Thread(target=run, args=(start,)) for start in starts]
for each in threads:
    each.start()
for each in threads:
    each.join()
sys.exit(str(errors) if errors else 0)
"""


def _imported(function: ast.AST) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names)


def test_no_function_imports_what_imports_itself_in_circles() -> None:
    found = [
        f"{path.relative_to(_ROOT)}: {module}"
        for path in _ROOT.rglob("*.py")
        for function in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for module in _imported(function)
        if tuple(module.split(".")[:2]) in _CIRCULAR
    ]
    assert found == []


def test_threads_that_begin_at_different_places_get_whole_modules() -> None:
    ran = subprocess.run([sys.executable, "-c", RACE], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
