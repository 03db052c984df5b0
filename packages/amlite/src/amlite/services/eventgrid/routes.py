"""amlite's own list of the events that matched a subscription, and of their delivery."""

from __future__ import annotations

from aiohttp import web

from amlite.control.table import ACTION, control_routes
from amlite.core.routing import Call, reply
from amlite.services.eventgrid.delivery import DELIVERY_TYPE

routes = control_routes()


@routes.get("/deliveries", action=ACTION)
async def list_deliveries(call: Call) -> web.Response:
    """List the deliveries, oldest first."""
    return reply({"value": [document.body for document in call.platform.store.of_type(DELIVERY_TYPE)]})
