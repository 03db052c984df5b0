"""The Data Factory service."""

from amlite.core.service import Service
from amlite.services.datafactory import firing, routes, types

SERVICE = Service(routes=[routes.routes], types=types.TYPES, start=firing.start)
