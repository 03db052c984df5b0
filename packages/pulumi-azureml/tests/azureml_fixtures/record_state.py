"""Record the state of the small project, as a fixture that later releases have to read.

Run once for a release; the states are never recorded anew.

export PYTHONPATH=packages/amlite/tests:packages/pulumi-azureml/tests
.venv/bin/amlite run -- python -m azureml_fixtures.record_state NAME
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from azure.ai.ml import MLClient
from azure.identity import DefaultAzureCredential

from amlite import SUBSCRIPTION_ID
from amlite.testing import LocalAzure
from azureml_fixtures.engine import GROUP, STACK, WORKSPACE, EngineProject, make_workspace

STATES = Path(__file__).parents[1] / "engine" / "states"


def record(name: str) -> None:
    """Bring the project up in an empty stack and export its state to `states/<name>.json`."""
    credential = DefaultAzureCredential()
    make_workspace(LocalAzure(Path(os.environ["AMLITE_STATE"])))
    ml = MLClient(credential, SUBSCRIPTION_ID, GROUP, WORKSPACE, show_progress=False, enable_telemetry=False)
    with tempfile.TemporaryDirectory() as folder:
        backend = {"PULUMI_BACKEND_URL": f"file://{folder}", "PULUMI_CONFIG_PASSPHRASE": "test"}
        project = EngineProject(Path(folder, "project"), ml, "fixture", {**os.environ, **backend})
        project.add_datastore()
        project.add_batch()
        project.pulumi("stack", "init", STACK)
        project.up()
        state = project.state()
        for entry in state["deployment"]["resources"]:
            # Where this machine keeps its files says nothing about the state.
            entry.pop("sourcePosition", None)
            entry.pop("stackTrace", None)
        project.destroy()
    (STATES / f"{name}.json").write_text(json.dumps(state, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    record(sys.argv[1])
