"""The SDK's types, read by the many threads that an engine keeps busy."""

from __future__ import annotations

import json
import subprocess
import sys

_TYPES = ["RoleAssignment", "RoleDefinition", "PolicyAssignment", "DenyAssignment"]
_TYPES_AT_ONCE = f"""
import json, sys, threading
from concurrent.futures import ThreadPoolExecutor
from amlite.pulumi import sdk_types
sys.setswitchinterval(1e-6)
names = {_TYPES}
start = threading.Barrier(len(names))
def load(name):
    start.wait()
    return sdk_types.load(f"azure-native:authorization:{{name}}").args.__name__
with ThreadPoolExecutor(len(names)) as pool:
    print(json.dumps(list(pool.map(load, names))))
"""


def test_threads_that_need_a_module_first_all_get_it_whole() -> None:
    """The SDK imports its modules lazily, and Python's lazy loader is not made for threads."""
    done = subprocess.run([sys.executable, "-c", _TYPES_AT_ONCE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [f"{name}Args" for name in _TYPES]
