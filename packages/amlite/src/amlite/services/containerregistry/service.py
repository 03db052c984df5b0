"""The Microsoft.ContainerRegistry service."""

from amlite.core import names
from amlite.core.service import Service
from amlite.services.containerregistry import routes, types

_NAMES = names.routes(types.TYPES[0], invalid="Invalid", taken="The registry {name} is already in use.")

SERVICE = Service(routes=[routes.routes, _NAMES], types=types.TYPES)
