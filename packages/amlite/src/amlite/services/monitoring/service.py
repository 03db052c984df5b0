"""The Azure Monitor and Log Analytics service."""

from amlite.core.service import Service
from amlite.services.monitoring import routes, types

SERVICE = Service(routes=[routes.routes], types=types.TYPES)
