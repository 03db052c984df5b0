"""The scoring host `<endpoint>.<region>.inference.ml.azure.com`."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from amlite.core import outgoing
from amlite.core.errors import AzureError, StartError
from amlite.core.platform import Platform
from amlite.core.routing import Call, Routes
from amlite.core.wire import Json
from amlite.services.machinelearning import endpoints, references
from amlite.services.machinelearning.addresses import SCORING_HOST
from amlite.services.monitoring import measurements
from amlite.services.serving import keys, servers, settings, traffic
from amlite.services.serving.servers import DEPLOYMENT_TYPE, ENDPOINT_TYPE
from amlite.services.serving.starting import Server

routes = Routes(SCORING_HOST, audiences=None)

_DEPLOYMENT_HEADER = "azureml-model-deployment"
_REASON_HEADER = "ms-azureml-model-error-reason"
_STATUS_HEADER = "ms-azureml-model-error-statuscode"
_MOST_BYTES = 10 << 20
_MOST_ANSWERED = 100 << 20
_NOT_FORWARDED = {"authorization", "host", "connection", "keep-alive", "transfer-encoding", "te", "upgrade", "expect"}


@routes.route("*", "/{path:path}")
async def score(call: Call) -> web.Response:
    """Forward a request to the model server of the deployment in the header, or of the one that the traffic selects."""
    platform, request = call.platform, call.request
    began = time.perf_counter()
    endpoint = _endpoint(platform, call.host)
    _require_public(platform, endpoint)
    keys.check(platform, endpoint, call.bearer)
    named = request.headers.get(_DEPLOYMENT_HEADER)
    deployment = _chosen(platform, endpoint, named)
    asked = _Asked(
        request.method,
        request.raw_path,
        {name: value for name, value in request.headers.items() if name.lower() not in _NOT_FORWARDED},
        await call.read(_MOST_BYTES),
    )
    if named is None:
        _mirror(platform, endpoint, asked)
    return await _measured(platform, endpoint, deployment, asked, began)


@dataclass
class _Credits:
    """The deployments' credits for the next request, live or mirrored, by endpoint; see `traffic.pick`."""

    live: dict[str, dict[str, int]] = field(default_factory=dict)
    mirrored: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Asked:
    """A request to a model server."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


async def _measured(platform: Platform, endpoint: Json, deployment: Json, asked: _Asked, began: float) -> web.Response:
    """Count a request and return the deployment's response. Raises the gateway's AzureErrors, which count too."""

    def measure(status: int, model_status: int | None) -> None:
        seconds = time.perf_counter() - began
        measurements.record(platform, endpoint["id"], deployment["name"], status, model_status, seconds)

    try:
        answer, content = await _ask(platform, deployment, asked)
    except AzureError as error:
        measure(error.status, None)
        raise
    response = _answer(answer, content, deployment["name"])
    measure(response.status, answer.status)
    return response


def _mirror(platform: Platform, endpoint: Json, asked: _Asked) -> None:
    """Send a copy of the mirrored share of requests to the mirror deployment, without waiting for the response."""
    rules = endpoint["properties"].get("mirrorTraffic") or {}
    name = next((each for each, percent in rules.items() if percent), None)
    document = platform.store.get(f"{endpoint['id']}/deployments/{name}") if name else None
    if name is None or document is None:
        return
    credit = platform.part(_Credits).mirrored.setdefault(endpoint["id"].lower(), {})
    if traffic.pick({name: rules[name], "": 100 - rules[name]}, credit) != name:
        return

    async def copy() -> None:
        with contextlib.suppress(AzureError, StartError):
            await _measured(platform, endpoint, document.body, asked, time.perf_counter())

    platform.background(copy(), f"a request mirrored to {document.id}")


def _require_public(platform: Platform, endpoint: Json) -> None:
    """Raise AzureError 403 for an endpoint without public access: requests on this machine count as public.

    If the workspace has a private endpoint, requests use it and are not public.
    """
    if endpoint["properties"].get("publicNetworkAccess", "Enabled").lower() != "disabled":
        return
    workspace = references.workspace(platform, endpoint["id"].rsplit("/", 2)[0]).body["properties"]
    if not workspace.get("privateEndpointConnections"):
        raise AzureError(
            403,
            "Forbidden",
            f"Public network access of endpoint '{endpoint['name']}' is disabled: it is scored through a private "
            "endpoint of its workspace only.",
        )


async def _ask(platform: Platform, deployment: Json, asked: _Asked) -> tuple[aiohttp.ClientResponse, bytes]:
    """Return the model server's complete response. Raises AzureError for the gateway's errors.

    A server that ended before the request could be sent is started again, once: no caller waits for its end.
    """
    limits = settings.requests(deployment["properties"], deployment["sku"]["capacity"])
    started_again = False
    while True:
        async with servers.serving(platform, deployment, limits.most_pending) as server:
            try:
                return await _sent(server, deployment["name"], asked, limits.timeout)
            except aiohttp.ClientConnectorError as error:
                if started_again or not await servers.ended(server):
                    raise _model_error(deployment["name"], "accepts no connection; see its logs") from error
                started_again = True


async def _sent(
    server: Server, name: str, asked: _Asked, timeout_seconds: float
) -> tuple[aiohttp.ClientResponse, bytes]:
    """Send a request to a server. Raises AzureError, and ClientConnectorError if nothing was sent."""
    agent = server.agent
    sampled = agent.request(asked.method, asked.path, asked.headers, asked.body) if agent else None
    try:
        async with server.child.http.request(
            asked.method,
            server.address(asked.path),
            headers=asked.headers,
            data=asked.body or None,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=timeout_seconds),
        ) as answer:
            content = await outgoing.content(answer, _MOST_ANSWERED)
    except TimeoutError as error:
        raise AzureError(
            408,
            "RequestTimeout",
            f"The model did not answer within request_timeout ({timeout_seconds:g} s).",
            headers={_DEPLOYMENT_HEADER: name, _REASON_HEADER: "model_timeout"},
        ) from error
    except aiohttp.ClientConnectorError:
        raise
    except outgoing.TooLargeError as error:
        raise _model_error(name, f"answered too much: {error}") from error
    except aiohttp.ClientError as error:
        raise _model_error(name, "ended while it answered; see its logs") from error
    if agent is not None and sampled is not None:
        agent.response(sampled, answer.headers.get("Content-Type", ""), content)
    return answer, content


def _model_error(name: str, what: str) -> AzureError:
    return AzureError(
        424,
        "ModelError",
        f"The model server of deployment '{name}' {what}.",
        headers={_DEPLOYMENT_HEADER: name, _REASON_HEADER: "model_error"},
    )


def _answer(answer: aiohttp.ClientResponse, content: bytes, deployment: str) -> web.Response:
    """Forward the server's response.

    Azure's gateway changes every status except 200 to 424 and puts the real one into a header. Here a 4xx keeps its
    status, so that a caller sees the cause immediately. The headers are the same.
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
    document = endpoints.of_host(platform, ENDPOINT_TYPE, host)
    if document is None:
        name, region, *_ = host.split(".")
        raise AzureError(404, "EndpointNotFound", f"There is no online endpoint '{name}' in region {region}.")
    return document.body


def _chosen(platform: Platform, endpoint: Json, named: str | None) -> Json:
    credit = platform.part(_Credits).live.setdefault(endpoint["id"].lower(), {})
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
