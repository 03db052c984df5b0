"""What Microsoft Entra ID brings."""

from __future__ import annotations

from amlite.core.service import Service
from amlite.services.entra import routes

SERVICE = Service(routes=[routes.routes, routes.own_routes])
