"""What amlite's own surface brings."""

from amlite.control import routes
from amlite.core.service import Service

SERVICE = Service(routes=[routes.routes])
