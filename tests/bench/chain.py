"""`python -m tests.bench.chain ENVIRONMENT STEPS RUNS`, run in a deployed clone: times chains of steps that do nothing.

Prints a JSON list of seconds per step, without the fixed cost of a pipeline.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from typing import Any

from release.stack import Stack
from release.workspace import client


def main(environment: str, steps: int, runs: int) -> None:
    """Register one component, then submit chains of it."""
    outputs = Stack("local").deployed()
    ml = client(outputs)
    from azure.ai.ml import Input, Output, command, dsl

    component: Any = ml.components.create_or_update(
        command(
            name=f"bench-{uuid.uuid4().hex[:8]}",
            command="cp ${{inputs.before}} ${{outputs.after}}",
            environment=f"azureml:{environment}:{outputs.assets['environment'][environment]}",
            inputs={"before": Input(type="uri_file")},
            outputs={"after": Output(type="uri_file")},
            is_deterministic=False,
        ).component
    )
    data = Input(type="uri_file", path=f"azureml:holidays:{outputs.assets['data']['holidays']}")

    def seconds(length: int) -> float:
        def chain(first: Any) -> None:
            passed = first
            for _ in range(length):
                passed = component(before=passed).outputs.after

        pipeline: Any = dsl.pipeline(chain, default_compute=outputs.compute[0])
        began = time.perf_counter()
        job = ml.jobs.create_or_update(pipeline(first=data), experiment_name="bench")
        while (status := str(ml.jobs.get(job.name).status)) not in ("Completed", "Failed", "Canceled"):
            time.sleep(0.02)
        if status != "Completed":
            raise RuntimeError(f"job {job.name} ended as {status}")
        return time.perf_counter() - began

    seconds(1)
    print(json.dumps([(seconds(steps) - seconds(1)) / (steps - 1) for _ in range(runs)]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
