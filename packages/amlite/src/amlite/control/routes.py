"""Routes for the command line and the pytest plugin. Services add routes of their own."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import asdict

from aiohttp import web

from amlite.control.table import ACTION, control_routes
from amlite.core.errors import AzureError
from amlite.core.faults import Faults
from amlite.core.routing import Call, reply
from amlite.core.service import Services

routes = control_routes()
_END = dt.datetime(3000, 1, 1, tzinfo=dt.UTC).timestamp()


@routes.get("/status", action=ACTION)
async def status(call: Call) -> web.Response:
    """Report the process, its children and what the services say."""
    platform = call.platform
    children = [
        {
            "name": c.name,
            "pid": c.process.pid,
            "port": c.port,
            "socket": str(c.socket) if c.socket else None,
            "log": str(c.log),
        }
        for c in platform.children.list()
    ]
    return reply(
        {
            "pid": os.getpid(),
            "state": str(platform.state),
            "now": platform.clock.stamp(),
            "children": children,
            **platform.part(Services).status(platform),
        }
    )


@routes.post("/clock", action=ACTION)
async def advance(call: Call) -> web.Response:
    """Move the clock forward by `{"seconds": N}`."""
    seconds = (await call.json()).get("seconds")
    if (
        isinstance(seconds, bool)
        or not isinstance(seconds, int | float)
        or not 0 <= seconds <= _END - call.platform.clock.timestamp()
    ):
        raise AzureError(
            400, "InvalidClock", "'seconds' must be a number that is not negative, and the clock ends in the year 3000."
        )
    call.platform.advance(seconds)
    return reply({"now": call.platform.clock.stamp()})


@routes.get("/faults", action=ACTION)
async def list_faults(call: Call) -> web.Response:
    """List the faults and how often each was met."""
    return reply({"value": call.platform.part(Faults).list()})


@routes.post("/faults", action=ACTION)
async def add_fault(call: Call) -> web.Response:
    """Add `{"match": "PUT */onlineEndpoints/*", "kind": …, "times": N | "rate": R, "seconds": S}`."""
    return reply(asdict(call.platform.part(Faults).add(await call.json())), 201)


@routes.delete("/faults", action=ACTION)
async def clear_faults(call: Call) -> web.Response:
    """Forget every fault."""
    return reply({"cleared": call.platform.part(Faults).clear()})
