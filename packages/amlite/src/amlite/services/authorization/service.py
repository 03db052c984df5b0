"""What Microsoft.Authorization brings."""

from __future__ import annotations

from amlite.core.service import Service
from amlite.services.authorization import types

SERVICE = Service(types=types.TYPES)
