"""The batch endpoints service."""

from amlite.core.service import Service
from amlite.services.batch import routes, types

SERVICE = Service(routes=[routes.routes, routes.region_routes], types=types.TYPES)
