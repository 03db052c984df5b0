"""The runs of a factory, and the start and stop of its triggers."""

from __future__ import annotations

import uuid
from dataclasses import replace

from aiohttp import web

from amlite.core.errors import AzureError
from amlite.core.routing import ARM_HOST, Call, Routes, reply
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.arm import providers
from amlite.services.arm.resources import resource_of
from amlite.services.datafactory import execution, firing, parameters, runs
from amlite.services.datafactory.firing import BLOB_EVENTS, STARTED, STOPPED
from amlite.services.datafactory.runs import ACTIVITY_RUN, PIPELINE_RUN, TRIGGER_RUN, TRIGGER_TYPE

routes = Routes(ARM_HOST)
_FACTORY = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataFactory/factories/{factory}"
_TRIGGER = f"{_FACTORY}/triggers/{{trigger}}"
_EVENTS = "Microsoft.EventGrid"
_RERUN = ("isRecovery", "referencePipelineRunId", "startActivityName", "startFromFailure")


@routes.post(f"{_FACTORY}/pipelines/{{pipeline}}/createRun")
async def create_run(call: Call) -> web.Response:
    """Start a run of a pipeline."""
    body = await call.json()
    factory = _factory(call)
    if rerun := [name for name in _RERUN if call.query.get(name)]:
        raise AzureError(400, "BadRequest", f"{rerun[0]}: amlite starts pipelines from their beginning only.")
    pipeline = parameters.pipeline_of(call.platform, factory.id, call.parameters["pipeline"])
    given = parameters.complete(pipeline, body)
    invoked: Json = {"id": str(uuid.uuid4()), "name": "Manual", "invokedByType": "Manual"}
    return reply({"runId": execution.begin(call.platform, factory.body, pipeline, given, invoked, {})})


@routes.get(f"{_FACTORY}/pipelineruns/{{run}}")
async def get_run(call: Call) -> web.Response:
    """Describe a pipeline run."""
    return reply(runs.get(call.platform, _factory(call).id, call.parameters["run"]))


@routes.post(f"{_FACTORY}/pipelineruns/{{run}}/cancel")
async def cancel_run(call: Call) -> web.Response:
    """Cancel a pipeline run."""
    run = runs.get(call.platform, _factory(call).id, call.parameters["run"])
    if run["status"] not in runs.UNFINISHED:
        raise AzureError(400, "CannotCancelPipelineRun", f"Pipeline run '{run['runId']}' is {run['status']}.")
    await execution.cancel(call.platform, run["runId"])
    return web.Response()


@routes.post(f"{_FACTORY}/queryPipelineRuns")
async def query_pipeline_runs(call: Call) -> web.Response:
    """Return the pipeline runs that a query asks for."""
    body = await call.json()
    return reply(runs.query(call.platform, _factory(call).id, PIPELINE_RUN, body))


@routes.post(f"{_FACTORY}/pipelineruns/{{run}}/queryActivityruns")
async def query_activity_runs(call: Call) -> web.Response:
    """Return the activity runs of a pipeline run that a query asks for."""
    body = await call.json()
    factory = _factory(call)
    run = runs.get(call.platform, factory.id, call.parameters["run"])
    return reply(runs.query(call.platform, factory.id, ACTIVITY_RUN, body, run["runId"]))


@routes.post(f"{_FACTORY}/queryTriggerRuns")
async def query_trigger_runs(call: Call) -> web.Response:
    """Return the trigger runs that a query asks for."""
    body = await call.json()
    return reply(runs.query(call.platform, _factory(call).id, TRIGGER_RUN, body))


@routes.post(f"{_TRIGGER}/start")
async def start_trigger(call: Call) -> web.Response:
    """Start a trigger. One on blobs needs the caller's permission to subscribe to the account's events."""
    trigger = _trigger(call)
    if not trigger.body["properties"].get("pipelines"):
        raise AzureError(400, "BadRequest", f"The trigger '{trigger.body['name']}' starts no pipeline.")
    if trigger.body["properties"]["type"] == BLOB_EVENTS:
        _require_events(call, trigger)
    firing.activate(call.platform, trigger, STARTED)
    return web.Response()


@routes.post(f"{_TRIGGER}/stop")
async def stop_trigger(call: Call) -> web.Response:
    """Stop a trigger."""
    firing.activate(call.platform, _trigger(call), STOPPED)
    return web.Response()


@routes.post(f"{_TRIGGER}/getEventSubscriptionStatus")
async def event_subscription_status(call: Call) -> web.Response:
    """Say whether a trigger is subscribed to events: as long as it is started."""
    trigger = _trigger(call)
    if trigger.body["properties"]["type"] != BLOB_EVENTS:
        raise AzureError(400, "BadRequest", f"The trigger '{trigger.body['name']}' has no event subscription.")
    on = trigger.body["properties"]["runtimeState"] == STARTED
    return reply({"triggerName": trigger.body["name"], "status": "Enabled" if on else "Disabled"})


def _require_events(call: Call, trigger: Document) -> None:
    providers.require(call.platform, _EVENTS)
    if call.principal is not None:
        scope = trigger.body["properties"]["typeProperties"]["scope"]
        call.platform.access.require(call.principal, scope, f"{_EVENTS}/eventSubscriptions/write")


def _factory(call: Call) -> Document:
    id = call.resource_id
    return resource_of(call.platform, replace(id, segments=id.segments[:2]))


def _trigger(call: Call) -> Document:
    id = call.resource_id
    document = resource_of(call.platform, replace(id, segments=id.segments[:4]))
    if document.type != TRIGGER_TYPE.lower():
        raise AzureError(404, "TriggerNotFound", f"Trigger '{id.name}' is not found.")
    return document
