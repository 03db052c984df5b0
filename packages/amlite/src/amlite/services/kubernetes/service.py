"""The API servers of managed clusters."""

from __future__ import annotations

import shutil

from amlite.core.errors import AzureError, StartError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.service import Service
from amlite.services.containerservice.clusters import CLUSTER_TYPE
from amlite.services.kubernetes import disks, objects, real, routes
from amlite.services.kubernetes.kinds import NAMESPACE
from amlite.services.kubernetes.storage import Objects
from amlite.services.managedidentity import identities


async def _created(platform: Platform, resource: ResourceId) -> None:
    cluster = str(resource)
    if real.is_real(platform, cluster):
        return
    if not real.is_wanted() or Objects(platform, cluster).list(NAMESPACE):
        objects.populate(platform, cluster)
        return
    try:
        await real.create(platform, cluster)
    except StartError as error:
        raise AzureError(503, "ControlPlaneNotReady", str(error)) from error
    await disks.add_classes(platform, cluster)
    platform.background(disks.provide(platform, cluster), f"disks of {cluster}")


async def _deleting(platform: Platform, resource: ResourceId) -> None:
    cluster = str(resource)
    if real.is_real(platform, cluster):
        await real.delete(platform, cluster)
    there = Objects(platform, cluster)
    there.forget()
    identities.forget(platform, cluster)
    shutil.rmtree(there.folder.parent, ignore_errors=True)


async def _start(platform: Platform) -> None:
    """Go on with the disks of the clusters of an earlier amlite."""
    for document in platform.store.of_type(CLUSTER_TYPE):
        if real.is_real(platform, document.id):
            platform.background(disks.provide(platform, document.id), f"disks of {document.id}")


SERVICE = Service(
    routes=[routes.routes, routes.real_routes],
    created={CLUSTER_TYPE: _created},
    deleting={CLUSTER_TYPE: _deleting},
    start=_start,
)
