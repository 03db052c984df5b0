"""MLflow's REST API below a workspace's tracking URI. The MLflow server has the runs, and the workspace the models."""

from __future__ import annotations

import json
import re
from urllib.parse import quote

import aiohttp
from aiohttp import web

from amlite.core import bodies
from amlite.core.errors import AzureError
from amlite.core.published import fields
from amlite.core.routing import Call, reply
from amlite.core.wire import Json
from amlite.services.machinelearning.addresses import (
    READ_RUNS,
    WORKSPACE,
    WRITE_RUNS,
    data_routes,
    workspace_of,
)
from amlite.services.machinelearning.references import WORKSPACE_TYPE
from amlite.services.mlflow import registry, tracking

_API = f"/mlflow/{{version}}{WORKSPACE}/api/{{api}}/mlflow"
_PREVIEW = f"/mlflow/{{version}}{WORKSPACE}/api/{{api}}/preview/mlflow"
_READ_MODELS = f"{WORKSPACE_TYPE}/models/read"
_WRITE_MODELS = f"{WORKSPACE_TYPE}/models/write"
_DELETE_MODELS = f"{WORKSPACE_TYPE}/models/delete"
_DELETE_VERSIONS = f"{WORKSPACE_TYPE}/models/versions/delete"
routes = data_routes()
_MOST_BYTES = 16 << 20
# The APIs of Azure's tracking. MLflow's server has others, such as webhooks, by which it would send requests anywhere.
_FORWARDED = re.compile(r"(experiments|runs|metrics)/[\w-]+")
_FIELDS = {
    **dict.fromkeys(("experiment_id", "filter", "key", "name", "new_name", "page_token", "run_id", "run_name"), "str"),
    **dict.fromkeys(("run_uuid", "run_view_type", "status", "user_id", "view_type"), "str"),
    **dict.fromkeys(("end_time", "max_results", "start_time", "step", "timestamp"), "int"),
    **dict.fromkeys(("experiment_ids", "order_by"), "list:str"),
    **dict.fromkeys(("metrics", "params", "tags"), "list:map:any"),
}
_MODEL_FIELDS = {
    **dict.fromkeys(("alias", "description", "filter", "key", "name", "run_id", "source", "stage", "value"), "str"),
    "max_results": "int",
    "tags": "list:map:any",
}
_NAMED = re.compile(r"/api/[^/]+/(?:preview/)?mlflow/", re.IGNORECASE)
_VERSION = re.compile(r"[0-9]\.[0-9]")
_TIMEOUT = aiohttp.ClientTimeout(total=None)


@routes.post(f"{_API}/runs/search", action=READ_RUNS)
@routes.post(f"{_API}/experiments/search", action=READ_RUNS)
async def search(call: Call) -> web.StreamResponse:
    """Search runs or experiments."""
    return await _forward(call)


@routes.post(f"{_API}/experiments/create", action=WRITE_RUNS)
async def create_experiment(call: Call) -> web.StreamResponse:
    """Create an experiment whose artifacts go to the workspace's artifact store."""
    body = await call.json()
    workspace = workspace_of(call).body
    name = str(body.get("name") or "")
    if not name:
        return _refusal(400, "INVALID_PARAMETER_VALUE", "Missing value for required parameter 'name'.")
    server = await tracking.running(call.platform, workspace)
    address = server.url("/api/2.0/mlflow/experiments/get-by-name").with_query(experiment_name=name)
    async with server.http.get(address) as known:
        if known.status == 200:
            return _refusal(400, "RESOURCE_ALREADY_EXISTS", f"Experiment '{name}' already exists.")
    return reply({"experiment_id": tracking.experiment(call.platform, workspace, name)})


@routes.post(f"{_API}/runs/create", action=WRITE_RUNS)
async def create_run(call: Call) -> web.StreamResponse:
    """Create a run. One that a job creates belongs to the job."""
    answer = await _forward(call)
    if answer.status == 200 and call.principal is not None and call.principal.root:
        made = json.loads(answer.text or "{}")["run"]["info"]["run_id"]
        tracking.adopt(call.platform, workspace_of(call).body, made, call.principal.root)
    return answer


@routes.post(f"{_PREVIEW}/runs/log-batch-async", action=WRITE_RUNS)
async def log_batch_async(call: Call) -> web.StreamResponse:
    """Log a batch before the response. The tracking id is empty, so the client does not wait."""
    answer = await _forward(call, "runs/log-batch")
    return reply({"batch_tracking_id": ""}) if answer.status == 200 else answer


@routes.get(f"{_API}/registered-models/{{rest:path}}", action=_READ_MODELS)
@routes.get(f"{_API}/model-versions/{{rest:path}}", action=_READ_MODELS)
@routes.post(f"{_API}/registered-models/get-latest-versions", action=_READ_MODELS)
async def read_models(call: Call) -> web.StreamResponse:
    """Answer from the workspace's models."""
    return await _models(call)


@routes.route("*", f"{_API}/registered-models/{{rest:path}}", action=_WRITE_MODELS)
@routes.route("*", f"{_API}/model-versions/{{rest:path}}", action=_WRITE_MODELS)
async def write_models(call: Call) -> web.StreamResponse:
    """Change the workspace's models."""
    return await _models(call)


@routes.route("*", f"{_API}/logged-models", action=WRITE_RUNS)
@routes.route("*", f"{_API}/logged-models/{{rest:path}}", action=WRITE_RUNS)
async def logged_models(_call: Call) -> web.StreamResponse:
    """Answer that there is no such API. Azure does not have it, although MLflow 2.19 and newer clients call it."""
    return web.Response(status=404)


@routes.get(f"{_API}/{{rest:path}}", action=READ_RUNS)
async def read(call: Call) -> web.StreamResponse:
    """Forward a read to the MLflow server."""
    return await _forward(call)


@routes.route("*", f"{_API}/{{rest:path}}", action=WRITE_RUNS)
async def write(call: Call) -> web.StreamResponse:
    """Forward a write to the MLflow server."""
    return await _forward(call)


@routes.delete(f"{_API}/registered-models/delete", action=_DELETE_MODELS)
@routes.delete(f"{_API}/model-versions/delete", action=_DELETE_VERSIONS)
async def delete_models(call: Call) -> web.StreamResponse:
    """Delete a model or a version."""
    return await _models(call)


async def _models(call: Call) -> web.Response:
    api = _name(call)
    given: Json = {**await call.json(), **call.query}
    try:
        body = fields(given, _MODEL_FIELDS)
        return reply(
            await registry.answer(call.platform, workspace_of(call).body, call.method, api, body, call.principal)
        )
    except registry.RegistryError as error:
        return _refusal(error.status, error.code, str(error))
    except AzureError as error:
        return _refusal(error.status, "INVALID_PARAMETER_VALUE", error.message)


async def _forward(call: Call, api: str | None = None) -> web.Response:
    version, api = call.parameters["api"], api or _name(call)
    if not (_VERSION.fullmatch(version) and _FORWARDED.fullmatch(api)):
        return _refusal(404, "ENDPOINT_NOT_FOUND", f"{call.method} {api} is not served by this local Azure.")
    data = await call.read(_MOST_BYTES)
    server = await tracking.running(call.platform, workspace_of(call).body)
    path = f"/api/{version}/mlflow/{api}"
    target = server.url(quote(path)).with_query(call.request.url.query)
    headers = {"Content-Type": call.request.headers.get("Content-Type", "application/json")}
    try:
        fields(bodies.parse_object(data), _FIELDS)  # the server answers 500 for other JSON
    except (ValueError, AzureError) as error:
        return _refusal(400, "BAD_REQUEST", f"The request body is invalid: {error}.")
    if not data and call.method != "GET":
        data = b"{}"  # as the server answers 500 for an empty body
    async with server.http.request(call.method, target, data=data or None, headers=headers, timeout=_TIMEOUT) as answer:
        return web.Response(body=await answer.read(), status=answer.status, content_type=answer.content_type)


def _name(call: Call) -> str:
    """Return the name of an API, such as `runs/create`: all that follows, for another route answers its other forms."""
    return _NAMED.split(call.path, maxsplit=1)[-1]


def _refusal(status: int, code: str, message: str) -> web.Response:
    text = json.dumps({"error_code": code, "message": message})
    return web.Response(text=text, status=status, content_type="application/json")
