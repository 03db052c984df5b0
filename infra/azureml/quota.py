"""Whether the subscription has the vCPUs left that a managed deployment takes: asked in the preview, not after minutes.

Azure reserves a fifth more instances for upgrades: `ceil(1.2 * instances) * vCPUs`, but for a few large sizes; source:
"Manage and increase quotas and limits for resources with Azure Machine Learning". A blue/green rollout needs the new
deployment's vCPUs beside the old one's.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

_log = logging.getLogger(__name__)
_NOT_RESERVED = frozenset(
    {
        "standard_nc24ads_a100_v4", "standard_nc48ads_a100_v4", "standard_nc96ads_a100_v4", "standard_nd96asr_v4",
        "standard_nd96amsr_a100_v4", "standard_nd40rs_v2",
    }
)  # fmt: skip


def shortage(ml: MLClient, location: str, size: str, instances: int, before: int = 0) -> str | None:
    """Say what is missing for a deployment's instances, and what to do; None when there is enough.

    Where the quota cannot be read (no permission, no network) nothing is said but a warning: the deployment will tell.

    Args:
        ml: any workspace's client in the subscription.
        location: the region.
        size: the instance type, such as `Standard_DS3_v2`.
        instances: how many the deployment will have.
        before: how many of them it has already.
    """
    from azure.core.exceptions import AzureError

    try:
        # The client's entities hold the service's own names, not those of their attributes.
        sizes = {each.name.lower(): vars(each) for each in ml.compute.list_sizes(location=location)}
        usages = {_family(each.name["value"]): vars(each) for each in ml.compute.list_usage(location=location)}
    except AzureError as error:
        _log.warning("the quota of %s could not be read: %s", location, getattr(error, "message", error))
        return None
    found = sizes.get(size.lower())
    if found is None:
        return f"Azure has no instance type '{size}' in {location}: `az ml compute list-sizes -l {location}` lists them"
    usage = usages.get(_family(f"{found['family']} Cluster Dedicated vCPUs"))
    if usage is None:
        return None
    needed = (_reserved(size, instances) - _reserved(size, before)) * found["vCPUs"]
    left = usage["limit"] - usage["currentValue"]
    if needed <= left:
        return None
    family = usage["name"]["value"]
    return (
        f"{instances} x {size} take {needed} more vCPUs of '{family}' in {location}, beside the old deployment and "
        f"with Azure's reserve for upgrades, and the subscription has {left} left of {usage['limit']}. Use fewer or "
        "smaller instances, or ask for quota (ml.azure.com, Manage, Quota)"
    )


def _reserved(size: str, instances: int) -> int:
    return instances if size.lower() in _NOT_RESERVED else -(-instances * 12 // 10)


def _family(name: str) -> str:
    """Return a family's name in one form: sizes say `standardDSv2Family`, usages `Standard DSv2 Family …`."""
    return re.sub(r"[^a-z0-9]", "", name.lower())
