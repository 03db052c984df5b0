"""The service of continuous integration."""

from amlite.core.service import Service
from amlite.services.ci import routes

SERVICE = Service(routes=[routes.routes, routes.own_routes])
