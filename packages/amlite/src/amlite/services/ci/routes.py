"""The addresses at which jobs request their ID tokens, and the one at which a test starts a job."""

from __future__ import annotations

from aiohttp import web

from amlite.control.table import ACTION, control_routes
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.routing import Call, Routes, reply
from amlite.core.wire import Json
from amlite.services.ci import jobs
from amlite.services.entra.federation import AUDIENCE, sign

routes = Routes(jobs.HOST, audiences=None)
own_routes = control_routes()


@own_routes.post("/ci-jobs", action=ACTION)
async def begin(call: Call) -> web.Response:
    """Start a job: `{"kind": "github" | "azureDevOps", "subject": …, "issuer": …, "seconds": …}`."""
    wanted = await call.json({"kind": "str", "subject": "str", "issuer": "str", "seconds": "int"})
    job, variables = jobs.begin(call.platform, wanted)
    return reply({"issuer": job["issuer"], "subject": job["subject"], "environment": variables}, 201)


@routes.get(f"/{jobs.GITHUB}/{{job}}/idtoken")
async def github(call: Call) -> web.Response:
    """Issue an ID token to a job of GitHub Actions."""
    job = jobs.job_of(call.platform, call.parameters["job"], jobs.GITHUB, call.bearer)
    token = _token(call.platform, job, call.query.get("audience") or "https://github.com/contoso")
    return reply({"count": len(token), "value": token})


@routes.post(f"/{jobs.AZURE_DEVOPS}/{{job}}/oidctoken")
async def azure_devops(call: Call) -> web.Response:
    """Issue an ID token to a job of Azure Pipelines, for a service connection."""
    job = jobs.job_of(call.platform, call.parameters["job"], jobs.AZURE_DEVOPS, call.bearer)
    if "api-version" not in call.query:
        raise AzureError(400, "VssVersionNotSpecifiedException", "No api-version was supplied for the request.")
    if call.query.get("serviceConnectionId") != job["connection"]:
        raise AzureError(404, "EndpointNotFound", "The job may not use this service connection.")
    return reply({"oidcToken": _token(call.platform, job, AUDIENCE)})


@routes.get(f"/{jobs.AZURE_DEVOPS}/{{job}}/oidctoken")
async def azure_devops_by_get(call: Call) -> web.Response:
    """Reject the requests of clients that were made for GitHub (googleapis/google-auth-library-python#1508)."""
    message = "The requested resource does not support http method 'GET'."
    return reply({"count": 1, "value": {"Message": message}}, 405)


def _token(platform: Platform, job: Json, audience: str) -> str:
    return sign(platform, job["issuer"], job["subject"], audience, job["seconds"])
