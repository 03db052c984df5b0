"""The Azure Resource Manager service."""

from amlite.core.service import Service
from amlite.services.arm import deployment_routes, deployments, provider_routes, resources, routes

SERVICE = Service(
    routes=[routes.routes, routes.public_routes, provider_routes.routes, deployment_routes.routes],
    works={
        resources.CREATE: resources.finish_creation,
        resources.DELETE: resources.finish_deletion,
        deployments.RUN: deployments.run,
    },
)
