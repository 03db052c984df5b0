"""The Databricks service."""

from amlite.core.service import Service
from amlite.services.databricks import execution, routes, types

SERVICE = Service(
    routes=[routes.routes],
    types=types.TYPES,
    deleting={types.WORKSPACE_TYPE: execution.end_all},
    start=execution.end_interrupted,
)
