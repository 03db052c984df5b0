"""The Microsoft.ContainerService service."""

from amlite.core.service import Service
from amlite.services.containerservice import routes, types

SERVICE = Service(routes=[routes.issuers], types=types.TYPES)
