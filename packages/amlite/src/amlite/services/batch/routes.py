"""The address that invokes an endpoint, `<endpoint>.<region>.inference.ml.azure.com/jobs`, and lists of its jobs."""

from __future__ import annotations

import uuid

from aiohttp import web

from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.published import fields
from amlite.core.routing import Call, Routes, reply
from amlite.core.wire import Json
from amlite.services.batch import invocation
from amlite.services.batch.types import DEPLOYMENT_TYPE, ENDPOINT_TYPE
from amlite.services.entra.tokens import tokens
from amlite.services.jobs import documents
from amlite.services.jobs.documents import Job
from amlite.services.machinelearning import endpoints
from amlite.services.machinelearning.addresses import AUDIENCE, SCORING_HOST, WORKSPACE, data_routes, workspace_of


def _is_batch(platform: Platform, host: str) -> bool:
    """Return whether a scoring host belongs to a batch endpoint. All other hosts belong to online endpoints."""
    return endpoints.of_host(platform, ENDPOINT_TYPE, host) is not None


region_routes = data_routes()
routes = Routes(SCORING_HOST, audiences=None, only=_is_batch)

_DEPLOYMENT_HEADER = "azureml-model-deployment"
_REPEAT_HEADER = "repeatability-request-id"
_JOBS = f"{ENDPOINT_TYPE}/jobs"
_DEPLOYMENT_JOBS = f"{DEPLOYMENT_TYPE}/jobs"
_LISTS = f"/mferp/managementfrontend{WORKSPACE}/batchEndpoints/{{endpoint}}"


@routes.post("/jobs")
async def invoke(call: Call) -> web.StreamResponse:
    """Start a job of the deployment in the header, or of the default deployment."""
    _caller(call, _invoked(call), f"{_JOBS}/write")  # a stranger sends no body
    request = await call.json({"properties": "map:any"})
    endpoint = _invoked(call)
    named = call.request.headers.get(_DEPLOYMENT_HEADER)
    principal = _caller(call, endpoint, f"{_JOBS}/write")
    deployment = _chosen(call.platform, endpoint, named)
    if named:
        call.platform.access.require(principal, deployment["id"], f"{_DEPLOYMENT_JOBS}/write")
    name = fields(request.get("properties", {}), {"name": "str"}).get("name")
    repeated = call.request.headers.get(_REPEAT_HEADER)
    if name is None:
        # A client that gets no response sends the same request again. This must not start a second job.
        number = uuid.uuid5(uuid.NAMESPACE_URL, f"{endpoint['id']} {repeated}") if repeated else uuid.uuid4()
        name = f"batchjob-{number}"
        if (known := _find(call.platform, endpoint, name)) is not None:
            return reply(invocation.shown(endpoint, known))
    elif _find(call.platform, endpoint, name) is not None:
        raise AzureError(409, "UserError", f"A job with the name '{name}' already exists; use another one.")
    job = await invocation.begin(call.platform, endpoint, deployment, name, request, principal)
    return reply(invocation.shown(endpoint, job), 201)


@routes.get("/jobs")
async def list_jobs(call: Call) -> web.StreamResponse:
    """List an endpoint's jobs, newest first."""
    endpoint = _invoked(call)
    _caller(call, endpoint, f"{_JOBS}/read")
    return _listed(call.platform, endpoint)


@routes.get("/jobs/{job}")
async def get_job(call: Call) -> web.StreamResponse:
    """Describe one of an endpoint's jobs. A client that invoked the endpoint polls this address until the job ends."""
    endpoint = _invoked(call)
    _caller(call, endpoint, f"{_JOBS}/read")
    return reply(invocation.shown(endpoint, _job(call.platform, endpoint, call.parameters["job"])))


@region_routes.get(f"{_LISTS}/jobs", action=f"{_JOBS}/read")
async def list_endpoint_jobs(call: Call) -> web.Response:
    """List an endpoint's jobs, newest first."""
    return _listed(call.platform, _endpoint(call))


@region_routes.get(f"{_LISTS}/deployments/{{deployment}}/jobs", action=f"{_DEPLOYMENT_JOBS}/read")
async def list_deployment_jobs(call: Call) -> web.Response:
    """List a deployment's jobs, newest first."""
    endpoint = _endpoint(call)
    return _listed(call.platform, endpoint, _deployment(call.platform, endpoint, call.parameters["deployment"])["name"])


@region_routes.get(f"{_LISTS}/jobs/{{job}}", action=f"{_JOBS}/read")
async def get_endpoint_job(call: Call) -> web.Response:
    """Describe one of an endpoint's jobs."""
    endpoint = _endpoint(call)
    return reply(invocation.shown(endpoint, _job(call.platform, endpoint, call.parameters["job"])))


def _invoked(call: Call) -> Json:
    document = endpoints.of_host(call.platform, ENDPOINT_TYPE, call.host)
    if document is None:
        raise AzureError(404, "EndpointNotFound", f"There is no batch endpoint at {call.host}.")
    return document.body


def _caller(call: Call, endpoint: Json, action: str) -> Principal:
    """Return the caller. Raises AzureError 401 without a token for Azure Machine Learning, 403 without permission."""
    if call.bearer is None:
        raise AzureError(401, "Unauthorized", "The header 'Authorization: Bearer <Microsoft Entra token>' is missing.")
    principal = tokens(call.platform).principal_of(call.bearer, frozenset({AUDIENCE}))
    call.platform.access.require(principal, endpoint["id"], action)
    return principal


def _chosen(platform: Platform, endpoint: Json, named: str | None) -> Json:
    name = named or endpoint["properties"]["defaults"].get("deploymentName")
    if not name:
        raise AzureError(
            400,
            "BadArgument",
            f"The endpoint '{endpoint['name']}' has no default deployment: set defaults.deploymentName, or name one in "
            f"the header {_DEPLOYMENT_HEADER}.",
        )
    deployment = _deployment(platform, endpoint, name)
    if deployment["properties"]["provisioningState"] != "Succeeded":
        raise AzureError(
            409, "DeploymentNotReady", f"Deployment '{name}' is {deployment['properties']['provisioningState']}."
        )
    return deployment


def _deployment(platform: Platform, endpoint: Json, name: str) -> Json:
    document = platform.store.get(f"{endpoint['id']}/deployments/{name}")
    if document is None or document.type != DEPLOYMENT_TYPE.lower():
        raise AzureError(404, "DeploymentNotFound", f"The endpoint '{endpoint['name']}' has no deployment '{name}'.")
    return document.body


def _endpoint(call: Call) -> Json:
    workspace = workspace_of(call)
    document = call.platform.store.get(f"{workspace.id}/batchEndpoints/{call.parameters['endpoint']}")
    if document is None:
        name = call.parameters["endpoint"]
        raise AzureError(404, "ResourceNotFound", f"The resource '{ENDPOINT_TYPE}/{name}' was not found.")
    return document.body


def _find(platform: Platform, endpoint: Json, name: str) -> Job | None:
    return documents.find(platform, endpoint["id"].rsplit("/", 2)[0], name)


def _job(platform: Platform, endpoint: Json, name: str) -> Job:
    for job in invocation.of(platform, endpoint):
        if job.name.lower() == name.lower():
            return job
    raise AzureError(404, "UserError", f"The endpoint '{endpoint['name']}' has no job '{name}'.")


def _listed(platform: Platform, endpoint: Json, deployment: str | None = None) -> web.Response:
    jobs = invocation.of(platform, endpoint, deployment)
    return reply({"value": [invocation.shown(endpoint, job) for job in jobs]})
