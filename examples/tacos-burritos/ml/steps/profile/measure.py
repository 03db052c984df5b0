"""Measures a model on a number of CPUs of this machine, and prints the figures as JSON.

This is a program of its own: the number of CPUs and the memory are those of a process. Other processes of a busy
machine can only make a round slower, so the figures are those of the round with the lowest p95.
"""

import argparse
import io
import json
import os
import resource
import statistics
import sys
import time
from pathlib import Path

WARM_UP = 3
ROUNDS = 5


def main() -> None:
    """Send pictures to the model, one after the other, as a server with one worker does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--cpus", type=int, required=True)
    parser.add_argument("--requests", type=int, required=True)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.cpus])

    # Imported late, because the libraries count the CPUs when they are imported.
    import numpy as np
    import onnxruntime
    from PIL import Image

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arguments.cpus
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # as the scoring script
    session = onnxruntime.InferenceSession(str(arguments.model), options, providers=["CPUExecutionProvider"])
    noise = np.random.default_rng(1).integers(0, 256, (640, 640, 3), np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(noise).save(encoded, "JPEG", quality=80)

    def answer() -> float:
        began = time.perf_counter()
        picture = Image.open(io.BytesIO(encoded.getvalue())).convert("RGB").resize((224, 224))
        session.run(None, {"image": np.asarray(picture, np.uint8)[None]})
        return time.perf_counter() - began

    for _ in range(WARM_UP):
        answer()
    rounds = [[answer() for _ in range(arguments.requests)] for _ in range(ROUNDS)]
    p95, best = min((statistics.quantiles(each, n=20)[-1], each) for each in rounds)
    json.dump(
        {
            "p50_ms": round(1000 * statistics.median(best), 1),
            "p95_ms": round(1000 * p95, 1),
            "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
