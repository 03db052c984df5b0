"""The endpoint that the stack declares."""

from __future__ import annotations

from azure.ai.ml import MLClient
from azure.ai.ml.entities import OnlineEndpoint

from tasks.errors import TaskError

# The tag in ml/deploy/endpoint.yml. The endpoint's name in Azure differs between stacks.
TAG = "serves"


def of_model(client: MLClient, model: str) -> OnlineEndpoint:
    """Return the endpoint of a model.

    Raises:
        TaskError: The workspace has no such endpoint, or several.
    """
    found = [each for each in client.online_endpoints.list() if (each.tags or {}).get(TAG) == model]
    if len(found) != 1:
        names = ", ".join(each.name for each in found) or "none"
        raise TaskError(
            f"the workspace must have one endpoint with the tag {TAG}={model}, and it has: {names}. "
            "Fix: run `pulumi up`, which declares it"
        )
    return client.online_endpoints.get(found[0].name)
