"""What Microsoft Entra ID brings."""

from amlite.core.service import Service
from amlite.services.entra import routes

SERVICE = Service(routes=[routes.routes, routes.own_routes])
