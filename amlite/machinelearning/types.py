"""Every resource type of the service that ARM keeps generically."""

from __future__ import annotations

from amlite.arm.types import ResourceType
from amlite.machinelearning import computes, datastores, schedules, workspaces

TYPES: list[ResourceType] = [*workspaces.TYPES, *computes.TYPES, *datastores.TYPES, *schedules.TYPES]
