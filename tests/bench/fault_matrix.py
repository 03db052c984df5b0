"""Every fault of a cloud, done to every kind of resource: do they converge, and is anything left over or doubled?"""

from __future__ import annotations

import os
import time

from rich.console import Console

from amlite import SUBSCRIPTION_ID
from amlite.testing import LocalAzure
from amlite_fixtures.azure import REGISTRY
from azureml_fixtures.engine import GROUP, WORKSPACE, make_workspace
from azureml_fixtures.fault_matrix import Case, Matrix, Outcome, cases, impatient
from tests.bench.figure import Figure
from tests.bench.ground import Ground


def measure(ground: Ground) -> list[Figure]:
    """Run the whole matrix in a local Azure of its own."""
    from azure.ai.ml import MLClient

    went: list[Outcome] = []
    wrong: list[str] = []
    console = Console(stderr=True, width=400)
    began = time.perf_counter()
    with LocalAzure.started(ground.folder()) as azure, azure.signed_in(), impatient():
        workspace_id = make_workspace(azure)
        registry = {"location": "westeurope", "properties": {"regionDetails": [{"location": "westeurope"}]}}
        azure.put(f"{workspace_id.partition('/workspaces/')[0]}/registries/{REGISTRY}", registry, "2023-10-01")
        ml = MLClient(azure.credential, SUBSCRIPTION_ID, GROUP, WORKSPACE, show_progress=False, enable_telemetry=False)
        matrix = Matrix(azure, ml, workspace_id)
        for case in _asked(cases()):
            try:
                went.append(matrix.run(case))
            except AssertionError as error:
                wrong.append(str(error))
                console.print(error, style="red", markup=False)
    took = time.perf_counter() - began
    again = sum(each.attempts == 2 for each in went)
    return [
        Figure("fault matrix: converge, nothing left over or doubled", [float(len(went))], "all", unit="cases"),
        Figure("  cases that do not", [float(len(wrong))], "0", unit="cases"),
        Figure("  which took a second attempt, after a clear message", [float(again)], unit="cases"),
        Figure("  all of them", [took]),
    ]


def _asked(every: list[Case]) -> list[Case]:
    """Return the cases whose name holds FAULT_MATRIX, where that is set."""
    return [case for case in every if os.environ.get("FAULT_MATRIX", "") in str(case)]
