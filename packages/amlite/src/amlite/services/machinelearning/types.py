"""Every resource type of the service that ARM stores generically."""

from __future__ import annotations

from amlite.core.resource_types import ResourceType
from amlite.services.machinelearning import computes, connections, datastores, outbound_rules, workspaces

TYPES: list[ResourceType] = [
    *workspaces.TYPES,
    *computes.TYPES,
    *connections.TYPES,
    *datastores.TYPES,
    *outbound_rules.TYPES,
]
