"""The API servers of managed clusters."""

from __future__ import annotations

import shutil

from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.service import Service
from amlite.services.containerservice.clusters import CLUSTER_TYPE
from amlite.services.kubernetes import objects, routes
from amlite.services.kubernetes.storage import Objects


async def _created(platform: Platform, resource: ResourceId) -> None:
    objects.populate(platform, str(resource))


async def _deleting(platform: Platform, resource: ResourceId) -> None:
    there = Objects(platform, str(resource))
    there.forget()
    shutil.rmtree(there.folder.parent, ignore_errors=True)


SERVICE = Service(routes=[routes.routes], created={CLUSTER_TYPE: _created}, deleting={CLUSTER_TYPE: _deleting})
