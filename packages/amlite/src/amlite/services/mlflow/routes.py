"""MLflow's REST API below a workspace's tracking URI: tracking by the real server, models by the workspace."""

from __future__ import annotations

import json

import aiohttp
from aiohttp import web
from yarl import URL

from amlite.core.routing import Call, Json, Routes, reply
from amlite.services.mlflow import registry, tracking
from amlite.services.mlflow.artifacts import READ, WORKSPACE, WRITE, routes, workspace_of

__all__ = ["cloud_routes", "routes"]

_API = f"/mlflow/{{version}}{WORKSPACE}/api/{{api}}/mlflow"
_PREVIEW = f"/mlflow/{{version}}{WORKSPACE}/api/{{api}}/preview/mlflow"
_READ_MODELS = "Microsoft.MachineLearningServices/workspaces/models/read"
_WRITE_MODELS = "Microsoft.MachineLearningServices/workspaces/models/write"
_TIMEOUT = aiohttp.ClientTimeout(total=None)
cloud_routes = Routes("management.azure.com", audiences=None)


@cloud_routes.get("/metadata/endpoints")
async def describe_cloud(call: Call) -> web.Response:
    """Describe this cloud, as clients that do not know Azure's own addresses by heart ask it to."""
    return reply(
        [
            {
                "name": "AzureCloud",
                "portal": "https://portal.azure.com",
                "resourceManager": "https://management.azure.com/",
                "authentication": {
                    "loginEndpoint": "https://login.microsoftonline.com/",
                    "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
                    "tenant": "common",
                    "identityProvider": "AAD",
                },
                "graphAudience": "https://graph.windows.net/",
                "suffixes": {
                    "storage": "core.windows.net",
                    "keyVaultDns": "vault.azure.net",
                    "acrLoginServer": "azurecr.io",
                },
            }
        ]
    )


@routes.post(f"{_API}/runs/search", action=READ)
@routes.post(f"{_API}/experiments/search", action=READ)
async def search(call: Call) -> web.StreamResponse:
    """Search runs or experiments."""
    return await _forward(call)


@routes.post(f"{_API}/experiments/create", action=WRITE)
async def create_experiment(call: Call) -> web.StreamResponse:
    """Create an experiment whose artifacts go to the workspace's artifact store."""
    workspace, body = workspace_of(call), await call.json()
    name = str(body.get("name") or "")
    if not name:
        return _refusal(400, "INVALID_PARAMETER_VALUE", "Missing value for required parameter 'name'.")
    port = await tracking.port(call.platform, workspace)
    address = URL(f"http://127.0.0.1:{port}/api/2.0/mlflow/experiments/get-by-name").with_query(experiment_name=name)
    async with call.platform.http.get(address) as known:
        if known.status == 200:
            return _refusal(400, "RESOURCE_ALREADY_EXISTS", f"Experiment '{name}' already exists.")
    return reply({"experiment_id": tracking.experiment(call.platform, workspace, name)})


@routes.post(f"{_PREVIEW}/runs/log-batch-async", action=WRITE)
async def log_batch_async(call: Call) -> web.StreamResponse:
    """Log a batch at once; with no tracking id the client has nothing to wait for."""
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


@routes.get(f"{_API}/{{rest:path}}", action=READ)
async def read(call: Call) -> web.StreamResponse:
    """Ask the MLflow server."""
    return await _forward(call)


@routes.route("*", f"{_API}/{{rest:path}}", action=WRITE)
async def write(call: Call) -> web.StreamResponse:
    """Tell the MLflow server."""
    return await _forward(call)


async def _models(call: Call) -> web.Response:
    api = call.path.rpartition("/mlflow/")[2]
    body: Json = {**await call.json(), **call.query}
    try:
        return reply(await registry.answer(call.platform, workspace_of(call), call.method, api, body, call.principal))
    except registry.RegistryError as error:
        return _refusal(error.status, error.code, str(error))


async def _forward(call: Call, api: str | None = None) -> web.Response:
    port = await tracking.port(call.platform, workspace_of(call))
    path = f"/api/{call.parameters['api']}/mlflow/{api or call.path.rpartition('/mlflow/')[2]}"
    target = URL(f"http://127.0.0.1:{port}{path}").with_query(call.request.url.query)
    headers = {"Content-Type": call.request.headers.get("Content-Type", "application/json")}
    data = await call.request.read()
    async with call.platform.http.request(
        call.method, target, data=data or None, headers=headers, timeout=_TIMEOUT
    ) as answer:
        return web.Response(body=await answer.read(), status=answer.status, content_type=answer.content_type)


def _refusal(status: int, code: str, message: str) -> web.Response:
    text = json.dumps({"error_code": code, "message": message})
    return web.Response(text=text, status=status, content_type="application/json")
