"""The Microsoft.Storage service."""

from amlite.core import names
from amlite.core.service import Service
from amlite.services.storage import lake_routes, queue_routes, routes, types

SERVICE = Service(
    routes=[
        routes.routes,
        lake_routes.routes,
        queue_routes.routes,
        names.routes(types.TYPES[0], invalid="AccountNameInvalid"),
    ],
    types=types.TYPES,
)
