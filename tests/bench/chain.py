"""`python -m tests.bench.chain ENVIRONMENT STEPS RUNS`, run in a deployed clone: times chains of steps that do nothing.

Prints a JSON list of seconds per step, without the fixed cost of a pipeline.
"""

from __future__ import annotations

import io
import json
import sys
import time
import uuid
from typing import Any

import yaml

from release.stack import PulumiStack
from release.workspace import client


def main(environment: str, steps: int, runs: int) -> None:
    """Register one component, then submit chains of it."""
    outputs = PulumiStack("local").deployed()
    ml = client(outputs)
    from azure.ai.ml import load_component, load_job

    step = ml.components.create_or_update(
        load_component(_yaml(_component(f"azureml:{environment}:{outputs.assets['environment'][environment]}")))
    )
    data = f"azureml:holidays:{outputs.assets['data']['holidays']}"
    compute = f"azureml:{outputs.compute[0]}"

    def seconds(length: int) -> float:
        pipeline = load_job(_yaml(_pipeline(f"azureml:{step.name}:{step.version}", length, data, compute)))
        began = time.perf_counter()
        job = ml.jobs.create_or_update(pipeline)
        # Plain text or a member of an enumeration of texts: azure-ai-ml gives both.
        while (status := ml.jobs.get(job.name).status) not in ("Completed", "Failed", "Canceled"):
            time.sleep(0.02)
        if status != "Completed":
            raise RuntimeError(f"job {job.name} ended as {status}")
        return time.perf_counter() - began

    seconds(1)
    print(json.dumps([(seconds(steps) - seconds(1)) / (steps - 1) for _ in range(runs)]))


def _component(environment: str) -> dict[str, Any]:
    return {
        "type": "command",
        "name": f"bench_{uuid.uuid4().hex[:8]}",
        "is_deterministic": False,
        "environment": environment,
        "command": "cp ${{inputs.before}} ${{outputs.after}}",
        "inputs": {"before": {"type": "uri_file"}},
        "outputs": {"after": {"type": "uri_file"}},
    }


def _pipeline(component: str, length: int, data: str, compute: str) -> dict[str, Any]:
    befores = ["${{parent.inputs.first}}", *(f"${{{{parent.jobs.step{n}.outputs.after}}}}" for n in range(length - 1))]
    return {
        "type": "pipeline",
        "experiment_name": "bench",
        "settings": {"default_compute": compute},
        "inputs": {"first": {"type": "uri_file", "path": data}},
        "jobs": {
            f"step{number}": {"type": "command", "component": component, "inputs": {"before": before}}
            for number, before in enumerate(befores)
        },
    }


def _yaml(document: dict[str, Any]) -> io.StringIO:
    return io.StringIO(yaml.safe_dump(document))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
