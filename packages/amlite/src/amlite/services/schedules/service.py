"""The schedules service."""

from amlite.core.service import Service
from amlite.services.schedules import firing, monitors, types

SERVICE = Service(types=types.TYPES, works={monitors.RUN: monitors.run}, start=firing.start)
