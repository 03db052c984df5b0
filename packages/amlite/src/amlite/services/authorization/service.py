"""The Microsoft.Authorization service."""

from amlite.core.service import Service
from amlite.services.authorization import types

SERVICE = Service(types=types.TYPES)
