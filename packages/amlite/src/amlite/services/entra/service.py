"""The Microsoft Entra ID service."""

from amlite.core.service import Service
from amlite.services.entra import routes

SERVICE = Service(routes=[routes.routes, *routes.alias_routes, routes.own_routes, routes.sign_in_routes])
