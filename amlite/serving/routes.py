"""The scoring host `<endpoint>.<region>.inference.ml.azure.com`, and the refusal to delete what has traffic."""

from __future__ import annotations

import asyncio
import contextlib
import time

import aiohttp
from aiohttp import web
from yarl import URL

from amlite.arm.routes import resource as arm_resource
from amlite.arm.routes import resource_of
from amlite.errors import AzureError
from amlite.monitoring import measurements
from amlite.platform import Platform
from amlite.resource_id import ResourceId
from amlite.routing import Call, Json, Routes
from amlite.serving import keys, servers, settings, traffic
from amlite.serving.servers import DEPLOYMENT_TYPE, ENDPOINT_TYPE

arm_routes = Routes("management.azure.com")
routes = Routes("*.inference.ml.azure.com", audiences=None)

_DEPLOYMENT_HEADER = "azureml-model-deployment"
_REASON_HEADER = "ms-azureml-model-error-reason"
_STATUS_HEADER = "ms-azureml-model-error-statuscode"
_MOST_BYTES = 10 << 20
_NOT_FORWARDED = {"authorization", "host", "connection", "keep-alive", "transfer-encoding", "te", "upgrade", "expect"}
_WORKSPACE = "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.MachineLearningServices/workspaces/{w}"


@arm_routes.delete(f"{_WORKSPACE}/onlineEndpoints/{{e}}/deployments/{{d}}")
async def delete_deployment(call: Call) -> web.StreamResponse:
    """Delete a deployment, unless it has traffic."""
    resource_id = ResourceId.parse(call.path)
    if (
        resource_id is not None
        and resource_id.parent is not None
        and call.platform.store.get(str(resource_id)) is not None
    ):
        shares = resource_of(call.platform, resource_id.parent).body["properties"]["traffic"]
        percent = {name.lower(): share for name, share in shares.items()}.get(resource_id.name.lower(), 0)
        if percent:
            raise AzureError(
                400,
                "BadRequest",
                f"Deployment '{resource_id.name}' has {percent} % of the endpoint's traffic and cannot be deleted; "
                "set its traffic to 0 first.",
            )
    return await arm_resource(call)


@routes.route("*", "/{path:path}")
async def score(call: Call) -> web.Response:
    """Hand a request to the model server of the deployment that the header names, or that traffic chooses."""
    platform, request = call.platform, call.request
    began = time.perf_counter()
    endpoint = _endpoint(platform, call.host)
    keys.check(platform, endpoint, request.headers.get("Authorization", ""))
    deployment = _chosen(platform, endpoint, request.headers.get(_DEPLOYMENT_HEADER))

    def measure(status: int, model_status: int | None) -> None:
        seconds = time.perf_counter() - began
        measurements.record(platform, endpoint["id"], deployment["name"], status, model_status, seconds)

    try:
        answer, content = await _ask(platform, request, deployment)
    except AzureError as error:
        measure(error.status, None)
        raise
    response = _answer(answer, content, deployment["name"])
    measure(response.status, answer.status)
    return response


async def _ask(platform: Platform, request: web.Request, deployment: Json) -> tuple[aiohttp.ClientResponse, bytes]:
    """Return the model server's answer, read whole; raises AzureError with the gateway's own refusal."""
    limits = settings.requests(deployment["properties"], deployment["sku"]["capacity"])
    body = await _body(request)
    headers = {name: value for name, value in request.headers.items() if name.lower() not in _NOT_FORWARDED}
    async with servers.serving(platform, deployment, limits.most_pending) as server:
        target = URL(server.address(request.raw_path), encoded=True)
        try:
            async with platform.http.request(
                request.method,
                target,
                headers=headers,
                data=body or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=limits.timeout),
            ) as answer:
                return answer, await answer.read()
        except TimeoutError as error:
            raise AzureError(
                408,
                "RequestTimeout",
                f"The model did not answer within request_timeout ({limits.timeout:g} s).",
                headers={_DEPLOYMENT_HEADER: deployment["name"], _REASON_HEADER: "model_timeout"},
            ) from error
        except aiohttp.ClientError as error:
            raise AzureError(
                424,
                "ModelError",
                f"The model server of deployment '{deployment['name']}' ended while it answered; see its logs.",
                headers={_DEPLOYMENT_HEADER: deployment["name"], _REASON_HEADER: "model_error"},
            ) from error


def _answer(answer: aiohttp.ClientResponse, content: bytes, deployment: str) -> web.Response:
    """Pass the server's answer on.

    Azure's gateway turns every status but 200 into 424 and tells the real one in a header. Here a 4xx keeps its status,
    so that a caller sees at once whose fault it is; the headers are the same.
    """
    kept = (
        "content-type",
        "x-request-id",
        "x-ms-request-id",
        "x-ms-client-request-id",
        "x-ms-server-version",
        "traceid",
    )
    headers = {name: value for name, value in answer.headers.items() if name.lower() in kept}
    headers[_DEPLOYMENT_HEADER] = deployment
    status = answer.status
    if status != 200:
        headers |= {_REASON_HEADER: "model_error", _STATUS_HEADER: str(status)}
        status = status if 400 <= status < 500 else 424
    return web.Response(body=content, status=status, headers=headers)


def _endpoint(platform: Platform, host: str) -> Json:
    name, _, rest = host.partition(".")
    region = rest.partition(".")[0]
    for document in platform.store.of_type(ENDPOINT_TYPE):
        if document.body["name"].lower() == name and document.body["location"] == region:
            return document.body
    raise AzureError(404, "EndpointNotFound", f"There is no online endpoint '{name}' in region {region}.")


def _chosen(platform: Platform, endpoint: Json, named: str | None) -> Json:
    credit = platform.parts.setdefault("serving/credit", {}).setdefault(endpoint["id"].lower(), {})
    name = named or traffic.pick(endpoint["properties"]["traffic"], credit)
    if name is None:
        raise AzureError(
            404,
            "NoTraffic",
            f"The endpoint '{endpoint['name']}' has no deployment with traffic: give one a share, or name one in "
            f"the header {_DEPLOYMENT_HEADER}.",
        )
    document = platform.store.get(f"{endpoint['id']}/deployments/{name}")
    if (
        document is None
        or document.type != DEPLOYMENT_TYPE.lower()
        or document.body["properties"]["provisioningState"] == "Deleting"
    ):
        raise AzureError(404, "DeploymentNotFound", f"The endpoint '{endpoint['name']}' has no deployment '{name}'.")
    return document.body


async def _body(request: web.Request) -> bytes:
    """Read a request's body, of at most 10 MB; raises AzureError 413 or 408."""
    parts: list[bytes] = []
    size = 0
    with contextlib.suppress(asyncio.IncompleteReadError):
        async for part in request.content.iter_chunked(1 << 18):
            size += len(part)
            if size > _MOST_BYTES:
                raise AzureError(413, "PayloadTooLarge", "A request to an online endpoint is at most 10 MB.")
            parts.append(part)
    return b"".join(parts)
