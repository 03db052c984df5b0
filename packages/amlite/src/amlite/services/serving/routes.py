"""The scoring host `<endpoint>.<region>.inference.ml.azure.com`."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from amlite.core import outgoing
from amlite.core.errors import AzureError, StartError
from amlite.core.platform import Platform
from amlite.core.routing import Call, Routes
from amlite.core.wire import Json
from amlite.services.machinelearning import endpoints, references
from amlite.services.machinelearning.addresses import SCORING_HOST
from amlite.services.monitoring import measurements
from amlite.services.serving import keys, servers, settings, templates, traffic
from amlite.services.serving.servers import DEPLOYMENT_TYPE, ENDPOINT_TYPE
from amlite.services.serving.starting import Server

routes = Routes(SCORING_HOST, audiences=None)

_DEPLOYMENT_HEADER = "azureml-model-deployment"
_REASON_HEADER = "ms-azureml-model-error-reason"
_STATUS_HEADER = "ms-azureml-model-error-statuscode"
_MOST_BYTES = 10 << 20
_MOST_ANSWERED = 100 << 20
# Of an answer, as much as this is in memory. The rest of a longer one is forwarded as it comes.
_MOST_HELD = 4 << 20
_FORWARDED = {
    "content-type", "x-request-id", "x-ms-request-id", "x-ms-client-request-id", "x-ms-server-version", "traceid",
}  # fmt: skip
_NOT_FORWARDED = {"authorization", "host", "connection", "keep-alive", "transfer-encoding", "te", "upgrade", "expect"}


@routes.route("*", "/{path:path}")
async def score(call: Call) -> web.StreamResponse:
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
    return await _measured(platform, endpoint, deployment, asked, began, request)


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


class _BrokenOffError(ConnectionResetError):
    """An answer ended in the middle: the caller has a part of it already."""


class _CallerLeftError(ConnectionResetError):
    """The caller ended the connection in the middle of an answer. The model is not at fault.

    `status` is that of the answer, `model_status` the model server's own.
    """

    def __init__(self, status: int, model_status: int) -> None:
        super().__init__("the caller left in the middle of the answer")
        self.status, self.model_status = status, model_status


async def _measured(
    platform: Platform, endpoint: Json, deployment: Json, asked: _Asked, began: float, caller: web.Request | None
) -> web.StreamResponse:
    """Count a request and return the deployment's response. Raises the gateway's AzureErrors, which count too.

    Without a `caller`, nobody gets the response.
    """

    def measure(status: int, model_status: int | None) -> None:
        seconds = time.perf_counter() - began
        measurements.record(platform, endpoint["id"], deployment["name"], status, model_status, seconds)

    try:
        response, model_status = await _ask(platform, deployment, asked, caller)
    except AzureError as error:
        measure(error.status, None)
        raise
    except _BrokenOffError:
        measure(424, None)
        raise
    except _CallerLeftError as left:
        measure(left.status, left.model_status)
        raise
    measure(response.status, model_status)
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
            await _measured(platform, endpoint, document.body, asked, time.perf_counter(), None)

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


async def _ask(
    platform: Platform, deployment: Json, asked: _Asked, caller: web.Request | None
) -> tuple[web.StreamResponse, int]:
    """Return the response to a request, and the model server's status. Raises AzureError for the gateway's errors.

    A server that ended before the request could be sent is started again, once: no caller waits for its end.
    """
    wanted = templates.applied(platform, deployment)["properties"]
    limits = settings.requests(wanted, deployment["sku"]["capacity"])
    started_again = False
    while True:
        async with servers.serving(platform, deployment, limits.most_pending) as server:
            try:
                return await _sent(server, deployment["name"], asked, limits.timeout, caller)
            except aiohttp.ClientConnectorError as error:
                if started_again or not await servers.ended(server):
                    raise _model_error(deployment["name"], "accepts no connection; see its logs") from error
                started_again = True


async def _sent(
    server: Server, name: str, asked: _Asked, timeout_seconds: float, caller: web.Request | None
) -> tuple[web.StreamResponse, int]:
    """Send a request to a server. Raises AzureError, and ClientConnectorError if nothing was sent.

    The time limit is that of the whole response, also if the caller reads a long one slowly.
    """
    agent, reply = server.agent, None
    sampled = agent.request(asked.method, asked.path, asked.headers, asked.body) if agent else None
    try:
        async with (
            asyncio.timeout(timeout_seconds),
            server.child.http.request(
                asked.method,
                server.address(asked.path),
                headers=asked.headers,
                data=asked.body or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None),
            ) as answer,
        ):
            reply = _Reply(answer, name, caller)
            copy = agent.copy(sampled) if agent is not None and sampled is not None else None
            async for piece in outgoing.pieces(answer, _MOST_ANSWERED):
                await reply.add(piece)
                if copy is not None:
                    copy.add(piece)
            if copy is not None:
                copy.collect(answer.headers.get("Content-Type", ""))
            return await reply.end(), answer.status
    except aiohttp.ClientConnectorError:
        raise
    except (TimeoutError, outgoing.TooLargeError, aiohttp.ClientError) as error:
        if reply is not None and reply.is_begun:
            raise reply.broken_off() from error
        raise _failure(name, timeout_seconds, error) from error


def _failure(name: str, timeout_seconds: float, error: Exception) -> AzureError:
    """Return the gateway's error for a model server that did not answer to the end."""
    if isinstance(error, TimeoutError):
        return AzureError(
            408,
            "RequestTimeout",
            f"The model did not answer within request_timeout ({timeout_seconds:g} s).",
            headers={_DEPLOYMENT_HEADER: name, _REASON_HEADER: "model_timeout"},
        )
    if isinstance(error, outgoing.TooLargeError):
        return _model_error(name, f"answered too much: {error}")
    return _model_error(name, "ended while it answered; see its logs")


def _model_error(name: str, what: str) -> AzureError:
    return AzureError(
        424,
        "ModelError",
        f"The model server of deployment '{name}' {what}.",
        headers={_DEPLOYMENT_HEADER: name, _REASON_HEADER: "model_error"},
    )


class _Reply:
    """A response on its way to a caller, if there is one: a short one whole, and of a long one each part as it comes.

    Azure's gateway changes every status except 200 to 424 and puts the real one into a header. Here a 4xx keeps its
    status, so that a caller sees the cause immediately. The headers are the same.
    """

    def __init__(self, answer: aiohttp.ClientResponse, deployment: str, caller: web.Request | None) -> None:
        self._caller = caller
        self._headers = CIMultiDict(
            (name, value) for name, value in answer.headers.items() if name.lower() in _FORWARDED
        )
        self._headers[_DEPLOYMENT_HEADER] = deployment
        self._status = self._model_status = answer.status
        if self._status != 200:
            self._headers.update({_REASON_HEADER: "model_error", _STATUS_HEADER: str(self._status)})
            self._status = self._status if 400 <= self._status < 500 else 424
        self._held = bytearray()
        self._begun: web.StreamResponse | None = None

    @property
    def is_begun(self) -> bool:
        """Whether the caller has a part of it."""
        return self._begun is not None

    async def add(self, piece: bytes) -> None:
        """Take a part of the body. Raises _CallerLeftError."""
        if self._begun is not None:
            with self._to_caller():
                await self._begun.write(piece)
        elif self._caller is not None:
            self._held += piece
            if len(self._held) > _MOST_HELD:
                self._headers.setdefault("x-ms-request-id", str(uuid.uuid4()))
                self._begun = web.StreamResponse(status=self._status, headers=self._headers)
                with self._to_caller():
                    await self._begun.prepare(self._caller)
                    await self._begun.write(self._held)
                self._held.clear()

    @contextlib.contextmanager
    def _to_caller(self) -> Iterator[None]:
        try:
            yield
        except ConnectionError as error:
            raise _CallerLeftError(self._status, self._model_status) from error

    async def end(self) -> web.StreamResponse:
        """Return the whole response. Raises _CallerLeftError."""
        if self._begun is None:
            return web.Response(body=bytes(self._held), status=self._status, headers=self._headers)
        with self._to_caller():
            await self._begun.write_eof()
        return self._begun

    def broken_off(self) -> _BrokenOffError:
        """End the connection, because no status can tell any more that the rest is missing. Return the error."""
        if self._caller is not None and self._caller.transport is not None:
            self._caller.transport.abort()
        return _BrokenOffError("the answer of the model ended in the middle")


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
