"""The online endpoints service."""

from amlite.core.service import Service
from amlite.services.serving import routes, sampling, types

SERVICE = Service(routes=[routes.routes], types=types.TYPES, start=sampling.start)
