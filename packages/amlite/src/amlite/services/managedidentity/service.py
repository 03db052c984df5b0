"""What Microsoft.ManagedIdentity brings."""

from __future__ import annotations

from amlite.core.service import Service
from amlite.services.managedidentity import routes, types

SERVICE = Service(routes=[routes.routes], types=types.TYPES)
