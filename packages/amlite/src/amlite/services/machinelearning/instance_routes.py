"""Start, stop and restart of compute instances: by request, by their schedules, and when they are idle."""

from __future__ import annotations

from aiohttp import web

from amlite.core.errors import AzureError
from amlite.core.platform import Platform, isolated
from amlite.core.routing import ARM_HOST, Call, Routes
from amlite.core.wire import Json
from amlite.services.arm import polling
from amlite.services.machinelearning import instances, references
from amlite.services.machinelearning.addresses import WORKSPACE, workspace_of
from amlite.services.machinelearning.instances import RUNNING, STOPPED, Instances

POWER = "machinelearning.power"
routes = Routes(ARM_HOST)
_COMPUTE = f"{WORKSPACE}/computes/{{compute}}"
_LONGEST_SLEEP_SECONDS = 24 * 3600.0
_DURING = {"Start": "Starting", "Stop": "Stopping", "Restart": "Restarting"}


@routes.post(f"{_COMPUTE}/start")
async def start(call: Call) -> web.Response:
    """Start an instance that is stopped."""
    return _begin(call, "Start")


@routes.post(f"{_COMPUTE}/stop")
async def stop(call: Call) -> web.Response:
    """Stop an instance."""
    return _begin(call, "Stop")


@routes.post(f"{_COMPUTE}/restart")
async def restart(call: Call) -> web.Response:
    """Restart an instance, or start it if it is stopped."""
    return _begin(call, "Restart")


def _begin(call: Call, operation: str) -> web.Response:
    document = references.compute(call.platform, workspace_of(call).id, call.parameters["compute"])
    instances.require_kind(document, instances.KIND, operation)
    before = instances.state(document)
    if operation != "Start" or before == STOPPED:
        instances.turn(call.platform, document, _DURING[operation], operation, call.platform.clock.now())
    arguments = {"id": document.id, "operation": operation, "before": before}
    begun = call.platform.operations.begin(POWER, arguments, resource_id=document.id)
    return web.Response(status=202, headers=polling.headers(call, call.resource_id, begun))


async def finish(platform: Platform, arguments: Json) -> None:
    """Do the work of a request. Raises the service's error for an instance that is started twice."""
    document = platform.store.get(arguments["id"])
    if document is None:
        return
    operation = arguments["operation"]
    if operation == "Start" and arguments["before"] != STOPPED:
        raise AzureError(
            400,
            "StartComputeInstanceOnlyAllowedInStoppedState",
            f"Start Azure ML Compute Instance is only allowed when the instance {document.body['name']} is in "
            "'stopped' state",
        )
    wanted = STOPPED if operation == "Stop" else RUNNING
    instances.turn(platform, document, wanted, operation, platform.clock.now())


async def begin(platform: Platform) -> None:
    """Start to follow the schedules and idle times. This continues as long as amlite runs."""
    for document in list(platform.store.of_type(references.COMPUTE_TYPE)):
        if instances.is_instance(document.body) and instances.state(document) == instances.WORKING:
            # The jobs of an earlier process start again.
            instances.turn(platform, document, RUNNING, "Start", platform.clock.now())
    platform.background(_run(platform), "compute instances")


async def _run(platform: Platform) -> None:
    while True:
        changed = platform.part(Instances).changed
        pause = follow(platform)
        await platform.clock.sleep_until(changed, pause)


def follow(platform: Platform) -> float:
    """Let everything happen that is due, in its order, and return the seconds until the next event."""
    pause = _LONGEST_SLEEP_SECONDS
    for document in list(platform.store.of_type(references.COMPUTE_TYPE)):
        if not instances.is_instance(document.body):
            continue
        with isolated(f"compute instance {document.body['name']}"):
            while (event := instances.next_event(platform, document)) and event[0] <= platform.clock.now():
                instances.apply(platform, document, event)
            if event:
                pause = min(pause, (event[0] - platform.clock.now()).total_seconds())
    return max(pause, 0.0)
