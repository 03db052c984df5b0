"""The test at the end of a deployment: the endpoint answers its sample request, as callers send it."""

from __future__ import annotations

import time
from collections.abc import Callable

from infra.outputs import StackOutputs
from release.endpoints import original
from release.errors import ReleaseError
from release.project import program_folder
from release.samples import sample_of
from release.scoring.requests import score


def smoke_test(outputs: StackOutputs, endpoint: str, seconds: float, say: Callable[[str], None]) -> None:
    """Send an endpoint's sample request. Does nothing for a batch endpoint, or if there is no sample.

    Raises:
        ReleaseError: The endpoint has no deployment, returned an error, or did not answer in time.
    """
    deployed = outputs.endpoints.get(endpoint)
    if deployed is None or deployed.deployment is None:
        raise ReleaseError(f"endpoint '{endpoint}' has no deployment, although the update ended without an error")
    sample = sample_of(original(outputs, endpoint), program_folder())
    if deployed.kind != "online":
        return
    if sample is None:
        say(f"endpoint {endpoint}: no smoke test, because there is no sample-request.json beside its endpoint.yml")
        return
    began = time.monotonic()
    score(outputs, endpoint, program_folder() / sample, seconds=seconds)
    say(f"endpoint {endpoint}: smoke test passed in {time.monotonic() - began:.1f} s")
