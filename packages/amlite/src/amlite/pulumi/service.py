"""What the stand-ins for Pulumi's plugins bring to the process that they are clients of."""

from amlite.core.service import Service
from amlite.pulumi import activation, routes

SERVICE = Service(routes=[routes.routes], start=activation.listen)
