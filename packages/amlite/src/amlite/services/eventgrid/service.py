"""The Event Grid service."""

from amlite.core.service import Service
from amlite.services.eventgrid import delivery, routes, types

SERVICE = Service(routes=[routes.routes], types=types.TYPES, works={delivery.DELIVER: delivery.deliver})
