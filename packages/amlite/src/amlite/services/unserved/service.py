"""The service of hosts that amlite does not serve: it refuses requests and names the hosts that are served."""

from amlite.core.service import Service
from amlite.services.unserved import routes

SERVICE = Service(routes=routes.ROUTES)
