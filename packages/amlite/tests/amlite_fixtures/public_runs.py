"""Run jobs of a checkout of public examples one after the other, and print what becomes of each as a line of JSON.

`packages/amlite/docs/examples.md` has the record. To run some again, with a clone of
https://github.com/Azure/azureml-examples, and what their pages create first in the workspace of `amlite up`:

PYTHONPATH=packages/amlite/tests amlite run -- python -m amlite_fixtures.public_runs FOLDER PATH...
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from azure.ai.ml import MLClient, load_job
from azure.identity import DefaultAzureCredential

from amlite_fixtures.jobs import ENDED, history

_GROUP, _WORKSPACE = "rg-amlite", "mlw-amlite"
_SECONDS = 4 * 3600.0
"""After which a job is cancelled. Some set a limit of three hours for themselves."""


def run(client: MLClient, file: Path) -> dict[str, Any]:
    """Submit a file as `az ml job create` does, and return the status with the job's name, or why it is not submitted.

    `az ml` finds the data of an AutoML job from the working folder.
    """
    begun = time.monotonic()
    with contextlib.chdir(file.parent):
        try:
            name = str(client.jobs.create_or_update(load_job(file)).name)
        except Exception as error:  # noqa: BLE001 - whatever the client or the service refuses
            return {"status": "not submitted", "why": str(error)}
    while (status := client.jobs.get(name).status) not in ENDED:
        if time.monotonic() - begun > _SECONDS:
            client.jobs.begin_cancel(name).wait()
        time.sleep(2)
    found: dict[str, Any] = {"status": str(status.value), "job": name, "seconds": round(time.monotonic() - begun)}
    return {**found, "why": history(client, name).error.error.message} if found["status"] == "Failed" else found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    here = MLClient(DefaultAzureCredential(), os.environ["AZURE_SUBSCRIPTION_ID"], _GROUP, _WORKSPACE)
    root = Path(sys.argv[1]).absolute()
    for path in sys.argv[2:]:
        print(json.dumps({"path": path, **run(here, root / path)}), flush=True)
