"""The Microsoft.ManagedIdentity service."""

from amlite.core.service import Service
from amlite.services.managedidentity import routes, types

SERVICE = Service(routes=[routes.routes], types=types.TYPES)
