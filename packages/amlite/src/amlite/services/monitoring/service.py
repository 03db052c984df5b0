"""The Azure Monitor and Log Analytics service."""

from amlite.core.service import Service
from amlite.services.monitoring import actions, alert_routes, alerts, measurements, routes, types

SERVICE = Service(
    routes=[routes.routes, alert_routes.routes],
    types=types.TYPES,
    works={actions.NOTIFY: actions.call_webhook},
    start=alerts.start,
    stop=measurements.write,
)
