"""Ask the unmodified azure-ai-ml client whether it submits a file: whether the request that creates it leaves.

The client talks to amlite. Nothing is created: what it sends to Azure Machine Learning is answered as if it were, and
so is its question whether something exists that a file refers to. It uploads code and data.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from urllib.parse import unquote, urlsplit

from azure.core.pipeline.transport import HttpRequest, RequestsTransport

from azureml_fixtures.transport import Answer

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

_OWNER = re.compile(r".*/(?:workspaces|registries)/[^/]+(/.*)")
_COLOUR = re.compile(r"\x1b?\[\d+m")
_DETAILS = re.compile(r"Details:(.*?)Resolutions:", re.DOTALL)
_LINE = 200
_WORKSPACE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
_DATA = f"{_WORKSPACE}/data/collected/versions/1"
_COLLECTED = {"dataCollectionMode": "Enabled", "dataId": _DATA, "samplingRate": 1}
# Enough for the client to read any resource.
_DEFAULTS: dict[str, Any] = {
    "latestVersion": "1", "nextVersion": "1", "isArchived": False, "flavors": {}, "tags": {}, "authMode": "Key",
    "endpointComputeType": "Managed", "scaleSettings": {"scaleType": "Default"},
    "model": "azureml:m:1", "environmentId": "azureml:e:1",
    "dataCollector": {"collections": {"model_inputs": _COLLECTED, "model_outputs": _COLLECTED}},
    "componentSpec": {
        "type": "command", "name": "any", "version": "1", "command": "true", "environment": "azureml:e:1",
    },
}  # fmt: skip
_ENVELOPE = {"type": "", "kind": "Managed", "location": "westeurope", "sku": {"name": "Default", "capacity": 1}}
_ENDED = {"provisioningState": "Succeeded", "status": "Succeeded"}
_LATER = "begin_create_or_update"
_AT_ONCE = "create_or_update"
# By the function that loads a file: the operations of the client, and what the path of its own request has.
_OPERATIONS = {
    "load_batch_endpoint": ("batch_endpoints", _LATER, "batchEndpoints"),
    "load_component": ("components", _AT_ONCE, "components"),
    "load_data": ("data", _AT_ONCE, "data"),
    "load_datastore": ("datastores", _AT_ONCE, "datastores"),
    "load_environment": ("environments", _AT_ONCE, "environments"),
    "load_job": ("jobs", _AT_ONCE, "jobs"),
    "load_model": ("models", _AT_ONCE, "models"),
    "load_model_batch_deployment": ("batch_deployments", _LATER, "batchEndpoints"),
    "load_online_deployment": ("online_deployments", _LATER, "onlineEndpoints"),
    "load_online_endpoint": ("online_endpoints", _LATER, "onlineEndpoints"),
    "load_pipeline_component_batch_deployment": ("batch_deployments", _LATER, "batchEndpoints"),
    "load_schedule": ("schedules", _LATER, "schedules"),
}


class _World:
    """Answers for Azure Machine Learning: everything exists, and everything can be created."""

    def __init__(self, kind: str) -> None:
        self.kind, self.name = kind, ""
        self.sent: dict[str, Any] | None = None
        """The body of the request that creates the file's own resource."""

    def answer(self, transport: RequestsTransport, request: HttpRequest, **options: Any) -> Any:
        path = unquote(urlsplit(request.url).path)
        found = _OWNER.fullmatch(path)
        place = found[1] if found is not None else ""
        if request.method in ("PUT", "PATCH") and place:
            body = json.loads(request.body or "{}")
            if place.startswith(f"/{self.kind}/") and (self.kind == "jobs" or self.name in place.split("/")):
                self.sent = body
            return self._made(request, path, body)
        answer = _SEND(transport, request, **options)
        if request.method != "GET" or not place:
            return answer
        if place.endswith("/versions") and (answer.status_code == 404 or not answer.json().get("value")):
            return Answer(request, 200, {"Content-Type": "application/json"}, {"value": [_resource(f"{path}/1", {})]})
        return self._made(request, path, {}) if answer.status_code == 404 else answer

    def _made(self, request: HttpRequest, path: str, body: dict[str, Any]) -> Answer:
        return Answer(request, 200, {"Content-Type": "application/json"}, _resource(path, body))


_SEND = RequestsTransport.send


def submits(client: MLClient, loader: str, file: Path) -> str:
    """Return an empty text if the client submits a file, or its reason for not doing so."""
    from azure.ai.ml.entities import _load_functions

    operations, method, kind = _OPERATIONS[loader]
    world = _World(kind)

    def send(transport: RequestsTransport, request: HttpRequest, **options: Any) -> Any:
        return world.answer(transport, request, **options)

    why = "it sends nothing"
    # `az ml` finds the data of an AutoML job from the working folder.
    with _quiet(), contextlib.chdir(file.parent), patch.object(RequestsTransport, "send", send):
        try:
            entity = getattr(_load_functions, loader)(file)
            world.name = str(entity.name)
            getattr(getattr(client, operations), method)(entity)
        except Exception as error:  # noqa: BLE001 - after the request has left, the answer's form may not suit it
            why = _shown(error)
    return "" if world.sent is not None else why


def _resource(path: str, body: dict[str, Any]) -> dict[str, Any]:
    given = body.get("properties") or {}
    name = path.rstrip("/").rpartition("/")[2]
    properties = {**_DEFAULTS, **given, **_ENDED}
    return {"id": path, "name": name, **_ENVELOPE, **body, "properties": properties}


def _shown(error: Exception) -> str:
    """Return what the client says, in one line without colours. Its list of errors is the essential part."""
    text = _COLOUR.sub("", str(error))
    if found := _DETAILS.search(text):
        text = found[1].replace("(x) ", "")
    text = " ".join(text.split())
    return text if len(text) <= _LINE else f"{text[:_LINE]}…"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    nowhere = io.StringIO()
    with contextlib.redirect_stderr(nowhere), contextlib.redirect_stdout(nowhere), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
