"""The environments have no routes. They keep the door of the private Docker daemon open."""

from __future__ import annotations

from amlite.core.service import Service
from amlite.services.environments import door

SERVICE = Service(start=door.open_door)
