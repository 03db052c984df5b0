"""The schedules service."""

from amlite.core.service import Service
from amlite.services.schedules import firing, imports, monitors, types

SERVICE = Service(types=types.TYPES, works={monitors.RUN: monitors.run, imports.RUN: imports.run}, start=firing.start)
