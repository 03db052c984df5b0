"""Step `profile`: measures the model with the CPUs of each instance size, and selects the cheapest that is fast enough.

A size has more CPUs than this machine? Then the model is measured with all CPUs that there are, and the figure is an
upper bound: `measured_cpus` says how many.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

log = logging.getLogger("profile")

REQUESTS = 20
HEADROOM = 2.0
"""The server, its workers and a large picture need memory too: a size must have this many times the model's."""


class NoSizeError(Exception):
    """No instance size meets the target."""


def measured(model: Path, sizes: list[dict[str, Any]], requests: int) -> list[dict[str, Any]]:
    """Return each size with its figures. Sizes with the same number of CPUs share one measurement."""
    available = len(os.sched_getaffinity(0))
    by_cpus: dict[int, dict[str, Any]] = {}
    rows = []
    for size in sizes:
        cpus = min(size["cpus"], available)
        if cpus not in by_cpus:
            program = [sys.executable, str(Path(__file__).with_name("measure.py")), "--model", str(model)]
            program += ["--cpus", str(cpus), "--requests", str(requests)]
            by_cpus[cpus] = json.loads(subprocess.run(program, check=True, capture_output=True, text=True).stdout)
        rows.append({**size, "measured_cpus": cpus, **by_cpus[cpus]})
    return rows


def judged(rows: list[dict[str, Any]], target_ms: float) -> tuple[list[dict[str, Any]], str]:
    """Return the rows with a verdict each, and the name of the cheapest size that meets the target.

    Raises:
        NoSizeError: No size meets the target, or none that does has a known price.
    """
    for row in rows:
        row["verdict"] = _verdict(row, target_ms)
    fitting = [row for row in rows if not row["verdict"]]
    if not fitting:
        reasons = "; ".join(f"{row['name']}: {row['verdict']}" for row in rows)
        message = f"no instance size answers within {target_ms:g} ms at a known price: {reasons}"
        raise NoSizeError(message)
    cheapest = min(fitting, key=lambda row: (row["price"], row["name"]))
    for row in fitting:
        row["verdict"] = "cheapest" if row is cheapest else "meets the target"
    return rows, str(cheapest["name"])


def _verdict(row: dict[str, Any], target_ms: float) -> str:
    if row["p95_ms"] > target_ms:
        return f"p95 of {row['p95_ms']:g} ms is above {target_ms:g} ms"
    if row["memory_mb"] * HEADROOM > 1024 * row["memory_gb"]:
        return "too little memory"
    return "" if row["price"] is not None else "no known price"


def main() -> None:
    """Write the table and the selected size."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stdout)
    arguments = parse_arguments()
    rows = measured(arguments.model / "model.onnx", json.loads(arguments.sizes), REQUESTS)
    try:
        rows, selected = judged(rows, arguments.target_ms)
    except NoSizeError as error:
        sys.exit(f"profile: {error}")
    for row in rows:
        log.info("%(name)s: p95 %(p95_ms)s ms with %(measured_cpus)s CPUs, %(memory_mb)s MB: %(verdict)s", row)
    table = {"target_ms": arguments.target_ms, "selected": selected, "sizes": rows}
    for path, text in ((arguments.table, json.dumps(table, indent=2)), (arguments.instance_type, selected)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def parse_arguments() -> argparse.Namespace:
    """Parse the command line in kubeflow/pipeline.py."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder with model.onnx")
    parser.add_argument("--sizes", required=True, help="JSON list of sizes: name, cpus, memory_gb, price an hour")
    parser.add_argument("--target_ms", type=float, required=True, help="95 %% of the requests are answered within this")
    parser.add_argument("--instance_type", type=Path, required=True, help="output: the selected size")
    parser.add_argument("--table", type=Path, required=True, help="output: the figures of each size")
    return parser.parse_args()


if __name__ == "__main__":
    main()
