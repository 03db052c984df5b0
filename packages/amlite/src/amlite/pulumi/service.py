"""The service behind the stand-ins for Pulumi's plugins: their routes and the ports that they listen on."""

from amlite.core.service import Service
from amlite.pulumi import activation, routes

SERVICE = Service(routes=[routes.routes], start=activation.listen)
