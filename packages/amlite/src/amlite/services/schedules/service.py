"""The schedules service."""

from amlite.core.service import Service
from amlite.services.schedules import firing, types

SERVICE = Service(types=types.TYPES, start=firing.start)
