"""Every resource type of the service that ARM stores generically."""

from __future__ import annotations

from amlite.core.resource_types import ResourceType
from amlite.services.machinelearning import computes, datastores, outbound_rules, workspaces

TYPES: list[ResourceType] = [*workspaces.TYPES, *computes.TYPES, *datastores.TYPES, *outbound_rules.TYPES]
