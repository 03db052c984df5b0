"""Every service folder, in the order its routes are tried. Adding a service is adding its lines here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from amlite import unserved
from amlite.arm import polling as arm_polling
from amlite.arm import routes as arm
from amlite.arm.types import ResourceType
from amlite.authorization import types as authorization
from amlite.batch import routes as batch_routes
from amlite.batch import types as batch
from amlite.containerregistry import routes as containerregistry_routes
from amlite.containerregistry import types as containerregistry
from amlite.control import routes as control
from amlite.entra import routes as entra
from amlite.jobs import history as jobs_history
from amlite.jobs import routes as jobs_routes
from amlite.keyvault import types as keyvault
from amlite.machinelearning import datastores as machinelearning_datastores
from amlite.machinelearning import quota as machinelearning_quota
from amlite.machinelearning import routes as machinelearning_routes
from amlite.machinelearning import schedules as machinelearning_schedules
from amlite.machinelearning import types as machinelearning
from amlite.managedidentity import types as managedidentity
from amlite.mlflow import routes as mlflow_routes
from amlite.monitoring import routes as monitoring_routes
from amlite.monitoring import types as monitoring
from amlite.platform import Platform
from amlite.pulumi import docker_routes
from amlite.registries import routes as registries_routes
from amlite.registries import types as registries
from amlite.routing import Routes
from amlite.serving import routes as serving_routes
from amlite.serving import types as serving
from amlite.storage import lake as storage_lake
from amlite.storage import routes as storage_routes
from amlite.storage import types as storage

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
