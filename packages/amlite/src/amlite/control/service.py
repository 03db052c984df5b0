"""The service of amlite's own API."""

from amlite.control import routes
from amlite.core.service import Service

SERVICE = Service(routes=[routes.routes])
