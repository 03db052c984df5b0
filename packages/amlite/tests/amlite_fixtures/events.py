"""Resources that react to a workspace's runs: a topic, a queue, an action group; and a run to react to."""

from __future__ import annotations

import re
import time
import uuid
from typing import TYPE_CHECKING, Any

from amlite import SUBSCRIPTION_ID
from amlite_fixtures.jobs import CLUSTER, equip

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import Response

    from amlite.testing import Workspace

Json = dict[str, Any]
EVENTS = "2025-02-15"
SUBSCRIPTION = f"/subscriptions/{SUBSCRIPTION_ID}"
LOGIC = "2019-05-01"
STORAGE = "2024-01-01"
STATUS_CHANGED = "Microsoft.MachineLearningServices.RunStatusChanged"
DRIFT = [
    {"operatorType": "StringIn", "key": "data.RunTags.drift_detected", "values": ["true"]},
    {"operatorType": "StringIn", "key": "data.runStatus", "values": ["Completed"]},
]
_SECONDS = 60.0


def group(workspace: Workspace) -> str:
    return workspace.layout.group_id


def topic(workspace: Workspace) -> Json:
    """Return the system topic of a workspace, with an identity. There can be only one."""
    path = f"{group(workspace)}/providers/Microsoft.EventGrid/systemTopics/runs-{workspace.name}"
    properties = {"source": workspace.id, "topicType": "Microsoft.MachineLearningServices.Workspaces"}
    body = {"location": "westeurope", "identity": {"type": "SystemAssigned"}, "properties": properties}
    return workspace.azure.put(path, body, EVENTS)


def queue(workspace: Workspace, name: str) -> str:
    """Make a queue in the workspace's account and return its ARM id."""
    path = f"{account(workspace)}/queueServices/default/queues/{name}"
    workspace.azure.put(path, {"properties": {}}, STORAGE)
    return path


def account(workspace: Workspace) -> str:
    return f"{group(workspace)}/providers/Microsoft.Storage/storageAccounts/{workspace.account}"


def subscription(destination: Json, **more: Any) -> Json:
    """Return the body of an event subscription to the drift of a workspace."""
    return {
        "properties": {
            "filter": {"includedEventTypes": [STATUS_CHANGED], "advancedFilters": DRIFT},
            **destination,
            **more,
        }
    }


def to_queue(workspace: Workspace, name: str) -> Json:
    """Return a destination: a queue, by the topic's identity."""
    place = {"endpointType": "StorageQueue", "properties": {"resourceId": account(workspace), "queueName": name}}
    return {"deliveryWithResourceIdentity": {"identity": {"type": "SystemAssigned"}, "destination": place}}


def to_webhook(url: str) -> Json:
    """Return a destination: a webhook."""
    return {"destination": {"endpointType": "WebHook", "properties": {"endpointUrl": url}}}


def messages(workspace: Workspace, method: str, path: str, **options: Any) -> Response:
    """Send a request to the workspace's queues, by default as one who may do everything with messages."""
    credential = options.pop("credential", None)
    if credential is None:
        credential = workspace.azure.application(("Storage Queue Data Contributor", account(workspace)))
    token = credential.get_token("https://storage.azure.com/.default").token
    url = f"https://{workspace.account}.queue.core.windows.net/{path}"
    return workspace.azure.session.request(method, url, headers={"Authorization": f"Bearer {token}"}, **options)


def first(answer: Response, name: str) -> str | None:
    """Return the text of the first element with a name in an answer of the queue service."""
    found = re.search(rf"<{name}>(.*?)</{name}>", answer.text)
    return found[1] if found else None


def finished_run(workspace: Workspace, tags: dict[str, str] | None = None, line: str = "echo done") -> str:
    """Submit a small job, wait until it has ended, and return its name."""
    azure = workspace.azure
    if azure.arm("GET", f"{workspace.id}/computes/{CLUSTER}").status_code == 404:
        equip(workspace)
    name = f"run-{uuid.uuid4().hex[:8]}"
    job = {
        "jobType": "Command",
        "command": line,
        "environmentId": f"{workspace.id}/environments/plain/versions/1",
        "computeId": f"{workspace.id}/computes/{CLUSTER}",
        "experimentName": "events",
        "tags": tags or {},
    }
    path = f"{workspace.id}/jobs/{name}"
    assert azure.arm("PUT", path, {"properties": job}).status_code == 201
    until(lambda: azure.arm("GET", path).json()["properties"]["status"] in ("Completed", "Failed"))
    return name


def until(condition: Callable[[], Any]) -> Any:
    """Wait until a condition holds, and return its value."""
    deadline = time.monotonic() + _SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return value


def provider(workspace: Workspace, name: str) -> str:
    """Return the ARM id of a resource of a provider in the workspace's group."""
    return f"{SUBSCRIPTION}/resourceGroups/{workspace.resource_group}/providers/{name}"
