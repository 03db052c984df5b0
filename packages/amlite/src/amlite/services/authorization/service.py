"""The Microsoft.Authorization service."""

from amlite.core.service import Service
from amlite.services.authorization import routes, types

SERVICE = Service(routes=[routes.routes], types=types.TYPES)
