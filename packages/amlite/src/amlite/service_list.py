"""Every service folder, in the order its routes are tried. Adding a service is adding its lines here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from amlite.control import routes as control
from amlite.core.platform import Platform
from amlite.core.routing import Routes
from amlite.pulumi import docker_routes
from amlite.services import unserved
from amlite.services.arm import polling as arm_polling
from amlite.services.arm import routes as arm
from amlite.services.arm.types import ResourceType
from amlite.services.authorization import types as authorization
from amlite.services.batch import routes as batch_routes
from amlite.services.batch import types as batch
from amlite.services.containerregistry import routes as containerregistry_routes
from amlite.services.containerregistry import types as containerregistry
from amlite.services.entra import routes as entra
from amlite.services.jobs import history as jobs_history
from amlite.services.jobs import routes as jobs_routes
from amlite.services.keyvault import types as keyvault
from amlite.services.machinelearning import datastores as machinelearning_datastores
from amlite.services.machinelearning import quota as machinelearning_quota
from amlite.services.machinelearning import routes as machinelearning_routes
from amlite.services.machinelearning import schedules as machinelearning_schedules
from amlite.services.machinelearning import types as machinelearning
from amlite.services.managedidentity import types as managedidentity
from amlite.services.mlflow import routes as mlflow_routes
from amlite.services.monitoring import routes as monitoring_routes
from amlite.services.monitoring import types as monitoring
from amlite.services.registries import routes as registries_routes
from amlite.services.registries import types as registries
from amlite.services.serving import routes as serving_routes
from amlite.services.serving import types as serving
from amlite.services.storage import lake as storage_lake
from amlite.services.storage import routes as storage_routes
from amlite.services.storage import types as storage

TYPES: list[ResourceType] = [
    *authorization.TYPES,
    *batch.TYPES,
    *containerregistry.TYPES,
    *keyvault.TYPES,
    *machinelearning.TYPES,
    *managedidentity.TYPES,
    *monitoring.TYPES,
    *registries.TYPES,
    *serving.TYPES,
    *storage.TYPES,
]

ROUTES: list[Routes] = [
    entra.routes,
    entra.identity_routes,
    control.routes,
    docker_routes.routes,
    containerregistry_routes.routes,
    batch_routes.routes,  # before online endpoints, which take every other path of the same hosts
    batch_routes.arm_routes,
    batch_routes.region_routes,
    serving_routes.routes,
    serving_routes.arm_routes,
    storage_routes.routes,
    storage_lake.routes,
    jobs_routes.routes,
    jobs_history.routes,
    mlflow_routes.cloud_routes,
    registries_routes.routes,
    machinelearning_datastores.routes,
    machinelearning_schedules.routes,
    machinelearning_quota.routes,
    machinelearning_routes.region_routes,
    machinelearning_routes.routes,
    monitoring_routes.routes,
    arm_polling.routes,
    arm.routes,  # it takes every path of management.azure.com
    *unserved.ROUTES,  # last: patterns that hosts above match too
]

# What runs for as long as amlite does (schedules that fire, ...): called once, when it is ready.
STARTERS: list[Callable[[Platform], Awaitable[None]]] = [jobs_routes.begin, machinelearning_schedules.start]

arm.register(TYPES)
