"""Every resource type of the service that ARM keeps generically."""

from __future__ import annotations

from amlite.services.arm.types import ResourceType
from amlite.services.machinelearning import computes, datastores, schedules, workspaces

TYPES: list[ResourceType] = [*workspaces.TYPES, *computes.TYPES, *datastores.TYPES, *schedules.TYPES]
