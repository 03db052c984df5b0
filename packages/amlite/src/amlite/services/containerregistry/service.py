"""The Microsoft.ContainerRegistry service."""

from amlite.core.service import Service
from amlite.services.containerregistry import routes, types

SERVICE = Service(routes=[routes.routes], types=types.TYPES)
