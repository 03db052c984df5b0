"""amlite in tests: the classes behind the fixtures of `amlite.pytest_plugin`.

Use them directly to start another amlite, for example in a benchmark:

    with LocalAzure.started(folder) as azure, azure.signed_in():
        client = Workspace.create(azure, "mlw-bench").client()
"""

from amlite.core.fault_kinds import FaultKind
from amlite.testing.clock import Clock
from amlite.testing.local_azure import LocalAzure, LocalAzureError
from amlite.testing.workspace import Workspace

__all__ = ["Clock", "FaultKind", "LocalAzure", "LocalAzureError", "Workspace"]
