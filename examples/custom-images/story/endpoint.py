"""The published pipeline: an endpoint that any HTTP client can call."""

from __future__ import annotations

import time
from typing import Any

from azure.core import PipelineClient
from azure.core.exceptions import AzureError
from azure.core.rest import HttpRequest

from pulumi_azureml.operations import chain, credential, of_azure, transport
from release.errors import ReleaseError
from story.telling import Story

TITLE = "The pipeline as a REST endpoint"
ENDPOINT = "departures-forecast"
HORIZON = 14
_AUDIENCE = "https://ml.azure.com/.default"
_ENDED = ("Completed", "Failed", "Canceled")
_POLL_SECONDS = 2.0


def tell(story: Story) -> None:
    """Start the pipeline with a POST, and poll the job with GET."""
    if not story.has_r:
        return
    address = of_azure(story.outputs.endpoints[ENDPOINT].scoring_uri, "inference.ml.azure.com")
    horizon = {"jobInputType": "Literal", "value": str(HORIZON)}
    job = _send("POST", address, {"properties": {"inputData": {"horizon": horizon}, "outputData": {}}})
    story.say(f"POST {address}: job {job['name']}")
    while (status := job["properties"]["status"]) not in _ENDED:
        time.sleep(_POLL_SECONDS)
        job = _send("GET", f"{address}/{job['name']}")
    story.say(f"GET {address}/{job['name']}: {status}")
    if status != "Completed":
        story.follow(job["name"])
    report = story.document(job["name"], "report/report.json")
    story.results["endpoint"] = address
    story.results["called with HTTP"] = f"job {job['name']}, {HORIZON} days, best {report['best']}"


def _send(method: str, address: str, body: Any = None) -> Any:
    """Send a request with a token, and another one if Azure takes it as expired.

    Raises ReleaseError if the endpoint refuses the request.
    """
    policies = chain(credential(), _AUDIENCE)
    client: PipelineClient[Any, Any] = PipelineClient(address, policies=policies, transport=transport())
    try:
        answer = client.send_request(HttpRequest(method, address, json=body))
    except AzureError as error:
        raise ReleaseError(f"{method} {address}: {error.message}") from error
    if answer.status_code >= 400:
        raise ReleaseError(f"{method} {address}: {answer.status_code} {answer.text()}")
    return answer.json()
