"""The Azure ML registries service."""

from amlite.core.service import Service
from amlite.services.machinelearning import curated
from amlite.services.registries import assets, copying, routes, template_routes, types

SERVICE = Service(
    routes=[routes.routes, routes.arm_routes, template_routes.routes],
    types=types.TYPES,
    works={assets.WORK: assets.finish, copying.WORK: copying.finish},
    start=curated.provide,
)
