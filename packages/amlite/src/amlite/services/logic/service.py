"""The Logic Apps service."""

from amlite.core.service import Service
from amlite.services.logic import routes, runs, types

SERVICE = Service(routes=[routes.routes], types=types.TYPES, start=runs.start)
