"""What the hosts that are not served bring: a refusal that says what is."""

from amlite.core.service import Service
from amlite.services.unserved import routes

SERVICE = Service(routes=routes.ROUTES)
