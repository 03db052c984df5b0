"""What amlite's command line and its pytest plugin ask of the running process."""

from __future__ import annotations

import os
from dataclasses import asdict

from aiohttp import web

from amlite.core import faults
from amlite.core.errors import AzureError
from amlite.core.routing import Call, Routes, reply
from amlite.services.entra.routes import tokens
from amlite.services.machinelearning import quota

HOST = "control.amlite.internal"
AUDIENCE = f"https://{HOST}"
ACTION = "amlite/control/action"  # granted by roles that grant everything
routes = Routes(HOST, audiences=frozenset({AUDIENCE}))


@routes.get("/status", action=ACTION)
async def status(call: Call) -> web.Response:
    """Report the process, its children and what it holds."""
    platform = call.platform
    children = [
        {"name": c.name, "pid": c.process.pid, "port": c.port, "log": str(c.log)} for c in platform.children.list()
    ]
    jobs = [doc.body for doc in platform.store.of_type("Microsoft.MachineLearningServices/workspaces/jobs")]
    return reply(
        {
            "pid": os.getpid(),
            "state": str(platform.state),
            "now": platform.clock.stamp(),
            "children": children,
            "jobs": [
                {
                    "name": job["name"],
                    "status": job["properties"].get("status"),
                    "runner": job.get("run", {}).get("runner"),
                }
                for job in jobs
            ],
        }
    )


@routes.post("/clock", action=ACTION)
async def advance(call: Call) -> web.Response:
    """Move the clock forward by `{"seconds": N}`."""
    seconds = (await call.json()).get("seconds")
    if not isinstance(seconds, int | float) or seconds < 0:
        raise AzureError(400, "InvalidClock", "'seconds' must be a number that is not negative.")
    call.platform.advance(seconds)
    return reply({"now": call.platform.clock.stamp()})


@routes.get("/faults", action=ACTION)
async def list_faults(call: Call) -> web.Response:
    """List the faults and how often each was met."""
    return reply({"value": faults.of(call.platform).list()})


@routes.post("/faults", action=ACTION)
async def add_fault(call: Call) -> web.Response:
    """Add `{"match": "PUT */onlineEndpoints/*", "kind": …, "times": N | "rate": R, "seconds": S}`."""
    return reply(asdict(faults.of(call.platform).add(await call.json())), 201)


@routes.delete("/faults", action=ACTION)
async def clear_faults(call: Call) -> web.Response:
    """Forget every fault."""
    return reply({"cleared": faults.of(call.platform).clear()})


@routes.get("/quota", action=ACTION)
async def list_quota(call: Call) -> web.Response:
    """Return what is used of which limit in `?region=`."""
    return reply({"value": quota.table(call.platform, call.query["region"].lower())})


@routes.delete("/quota", action=ACTION)
async def clear_quota(call: Call) -> web.Response:
    """Take back every limit that was set."""
    return reply({"cleared": quota.forget_limits(call.platform)})


@routes.post("/quota", action=ACTION)
async def set_quota(call: Call) -> web.Response:
    """Set the vCPUs of a VM family: `{"family": …, "cores": N, "region": …}`."""
    body = await call.json()
    cores = body.get("cores")
    if not isinstance(cores, int) or cores < 0:
        raise AzureError(400, "InvalidQuota", "'cores' must be a whole number that is not negative.")
    family = quota.set_limit(call.platform, str(body.get("family")), cores, body.get("region"))
    return reply({"family": family, "cores": cores, "region": body.get("region")})


@routes.post("/applications", action=ACTION)
async def register_application(call: Call) -> web.Response:
    """Create an application in Entra ID, without any role, and return how it signs in."""
    principal, secret = tokens(call.platform).register()
    return reply({"clientId": principal.client_id, "objectId": principal.object_id, "secret": secret}, 201)
