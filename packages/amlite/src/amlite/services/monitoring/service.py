"""What Azure Monitor and Log Analytics bring."""

from __future__ import annotations

from amlite.core.service import Service
from amlite.services.monitoring import routes, types

SERVICE = Service(routes=[routes.routes], types=types.TYPES)
