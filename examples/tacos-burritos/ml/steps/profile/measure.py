"""Measures a model on a number of CPUs of this machine, and prints the figures as JSON.

This is a program of its own: the number of CPUs and the memory are those of a process.
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
    session = onnxruntime.InferenceSession(str(arguments.model), options, providers=["CPUExecutionProvider"])
    noise = np.random.default_rng(1).integers(0, 256, (640, 640, 3), np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(noise).save(encoded, "JPEG", quality=80)
    seconds = []
    for _ in range(WARM_UP + arguments.requests):
        began = time.perf_counter()
        picture = Image.open(io.BytesIO(encoded.getvalue())).convert("RGB").resize((224, 224))
        session.run(None, {"image": np.asarray(picture, np.uint8)[None]})
        seconds.append(time.perf_counter() - began)
    measured = seconds[WARM_UP:]
    json.dump(
        {
            "p50_ms": round(1000 * statistics.median(measured), 1),
            "p95_ms": round(1000 * statistics.quantiles(measured, n=20)[-1], 1),
            "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
