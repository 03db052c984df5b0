"""The Microsoft.Storage service."""

from amlite.core.service import Service
from amlite.services.storage import lake_routes, routes, types

SERVICE = Service(routes=[routes.routes, lake_routes.routes], types=types.TYPES)
