"""The service of workspaces with their assets, computes and datastores."""

from amlite.core.service import Service
from amlite.services.machinelearning import (
    data_version_routes,
    datastore_routes,
    instance_routes,
    network_routes,
    networks,
    quota_routes,
    routes,
    types,
)

SERVICE = Service(
    routes=[
        routes.routes,
        routes.region_routes,
        quota_routes.routes,
        quota_routes.own_routes,
        network_routes.routes,
        instance_routes.routes,
        data_version_routes.routes,
        datastore_routes.routes,
    ],
    types=types.TYPES,
    works={networks.PROVISION: network_routes.finish, instance_routes.POWER: instance_routes.finish},
    start=instance_routes.begin,
)
