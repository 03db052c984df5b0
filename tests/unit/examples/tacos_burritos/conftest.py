"""The example's folder on the path, as for its own programs, and pipelines to run."""

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

EXAMPLE = Path(__file__).resolve().parents[4] / "examples" / "tacos-burritos"
sys.path.insert(0, str(EXAMPLE))


def compiled(
    tasks: dict[str, dict[str, Any]], parameters: dict[str, Any] | None = None, kubernetes: dict[str, Any] | None = None
) -> str:
    """Return a compiled pipeline. A task has `args`, and maybe `inputs`, `outputs`, `files`, `needs` and more."""
    components, executors, steps = {}, {}, {}
    for name, task in tasks.items():
        inputs = task.get("inputs", {})
        components[f"comp-{name}"] = {
            "executorLabel": f"exec-{name}",
            "inputDefinitions": {"parameters": {key: {"parameterType": "STRING"} for key in inputs}},
            "outputDefinitions": {
                "parameters": {key: {"parameterType": type_} for key, type_ in task.get("outputs", {}).items()},
                "artifacts": {
                    key: {"artifactType": {"schemaTitle": "system.Artifact"}} for key in task.get("files", ())
                },
            },
        }
        executors[f"exec-{name}"] = {
            "container": {
                "image": f"image://{name}", "command": ["python"], "args": task["args"], **task.get("container", {}),
            }
        }  # fmt: skip
        steps[name] = {
            "cachingOptions": {},
            "componentRef": {"name": f"comp-{name}"},
            "dependentTasks": task.get("needs", []),
            "inputs": {"parameters": inputs, "artifacts": task.get("artifacts", {})},
            "taskInfo": {"name": name},
            **task.get("task", {}),
        }
    specification = {
        "components": components,
        "deploymentSpec": {"executors": executors},
        "pipelineInfo": {"name": "sample"},
        "root": {"dag": {"tasks": steps}, "inputDefinitions": {"parameters": parameters or {}}},
        "schemaVersion": "2.1.0",
    }
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": kubernetes or {}}}}}
    return yaml.safe_dump_all([specification, platform])


@pytest.fixture(scope="session")
def example() -> Path:
    """Return the example's folder."""
    return EXAMPLE
