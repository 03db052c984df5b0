"""The runs of workflows, and the request to poll now."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from amlite.core.errors import AzureError
from amlite.core.routing import ARM_HOST, Call, Routes, reply
from amlite.core.store import Document
from amlite.services.arm.resources import resource_of
from amlite.services.logic import runs

routes = Routes(ARM_HOST)
_WORKFLOW = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Logic/workflows/{workflow}"


@routes.get(f"{_WORKFLOW}/runs")
async def list_runs(call: Call) -> web.Response:
    """List the runs of a workflow, the latest first."""
    return reply({"value": runs.runs_of(call.platform, _workflow(call).id)})


@routes.post(f"{_WORKFLOW}/triggers/{{trigger}}/run", action=f"{runs.TYPE}/triggers/run/action")
async def run_trigger(call: Call) -> web.Response:
    """Poll now."""
    workflow = _workflow(call)
    name, _ = runs.trigger_of(workflow)
    if call.parameters["trigger"].lower() != name.lower():
        raise AzureError(
            404,
            "WorkflowTriggerNotFound",
            f"The workflow '{workflow.body['name']}' has no trigger '{call.parameters['trigger']}'.",
        )
    await runs.fire(call.platform, workflow)
    return reply(status=202)


def _workflow(call: Call) -> Document:
    id = call.resource_id
    return resource_of(call.platform, replace(id, segments=id.segments[:2]))
