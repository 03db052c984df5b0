"""amlite's own list of the alerts that fired, and of who was told."""

from __future__ import annotations

from aiohttp import web

from amlite.control.table import ACTION, control_routes
from amlite.core.routing import Call, reply
from amlite.services.monitoring.actions import ALERT_TYPE

routes = control_routes()


@routes.get("/alerts", action=ACTION)
async def list_alerts(call: Call) -> web.Response:
    """List the alerts, oldest first."""
    return reply({"value": [document.body for document in call.platform.store.of_type(ALERT_TYPE)]})
