"""Check in the preview that the subscription has enough vCPUs for the deployments of a run.

Azure reserves 20 % more instances for upgrades, except for a few large sizes: `ceil(1.2 * instances) * vCPUs`. The
source is "Manage and increase quotas and limits for resources with Azure Machine Learning". A blue/green rollout needs
the vCPUs of the new deployment in addition to those of the old one. All endpoints of a run need theirs together.

The maximum size of a cluster (`max_nodes`) is not counted. Azure accepts any maximum if the minimum number of nodes,
and at least one node, fit. A job that needs more nodes than the quota allows then fails or waits.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

_log = logging.getLogger(__name__)
_TOTAL = "Total Cluster Dedicated Regional vCPUs"
_NOT_RESERVED = frozenset(
    {
        "standard_nc24ads_a100_v4", "standard_nc48ads_a100_v4", "standard_nc96ads_a100_v4", "standard_nd96asr_v4",
        "standard_nd96amsr_a100_v4", "standard_nd40rs_v2",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Need:
    """A deployment's demand for vCPUs.

    Attributes:
        path: the file of the deployment, for messages.
        size: the instance type, such as `Standard_DS3_v2`.
        instances: the number of instances after the update.
        before: the number of instances before the update.
    """

    path: str
    size: str
    instances: int
    before: int = 0


@dataclass(frozen=True)
class Taker:
    """The endpoint that needs vCPUs. Its name is unique in a region of a subscription."""

    subscription_id: str
    location: str
    endpoint: str


@dataclass(frozen=True)
class Demand:
    """What deployments need of a limit together.

    Attributes:
        limit: Azure's name of the limit, such as `standardDSv2Family Cluster Dedicated vCPUs`.
        needed: the vCPUs that they need in addition.
        left: the vCPUs that are left.
    """

    limit: str
    needed: int
    left: int


# The demand of endpoints in this run that Azure does not count yet. The engine starts a new provider process for each
# run, so this starts empty.
_planned: dict[Taker, Need] = {}


def shortage(ml: MLClient, taker: Taker, need: Need) -> str | None:
    """Return a message if the quota is too small for a deployment, with the shortage and how to fix it.

    The deployments that this run has checked before count too. If the quota is sufficient, return None, and count the
    deployment for the following ones until `begun`. If the quota cannot be read (no permission, no network), log a
    warning and return None.

    Args:
        ml: a client of any workspace in the subscription.
        taker: the endpoint of the deployment.
        need: the demand of the deployment.
    """
    from pulumi_azureml.operations.sdk import AzureError

    _planned[taker] = need
    location = taker.location
    try:
        sizes, usages = _region(ml, location)
    except AzureError as error:
        _log.warning("the quota of %s could not be read: %s", location, getattr(error, "message", error))
        return None
    reason = _reason(taker, need, sizes, usages)
    if reason is not None:
        begun(taker)
    return reason


def demands(ml: MLClient, location: str, needs: Sequence[Need]) -> list[Demand]:
    """Return what deployments in a region need of each limit that counts them. A family without a limit is left out.

    Args:
        ml: a client of any workspace in the subscription.
        location: the region.
        needs: the demand of each deployment. Sizes that the region does not have are left out.

    Raises:
        AzureError: the quota cannot be read.
    """
    sizes, usages = _region(ml, location)
    known = [each for each in needs if each.size.lower() in sizes]
    found = []
    for name in dict.fromkeys([*(_family_of(each, sizes) for each in known), *([_TOTAL] if known else [])]):
        usage = usages.get(family_key(name))
        if usage is not None and usage["limit"] >= 0:
            needed = sum(_cores(each, sizes) for each in known if name in (_family_of(each, sizes), _TOTAL))
            found.append(Demand(str(usage["name"]["value"]), needed, usage["limit"] - usage["currentValue"]))
    return found


def begun(taker: Taker) -> None:
    """Forget an endpoint's demand when its deployment starts, because Azure counts it from then on."""
    _planned.pop(taker, None)


def _region(ml: MLClient, location: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the VM sizes by lower-case name, and the usages by family key."""
    # The client's entities contain the service's names, not those of their attributes.
    sizes = {each.name.lower(): vars(each) for each in ml.compute.list_sizes(location=location)}
    usages = {family_key(each.name["value"]): vars(each) for each in ml.compute.list_usage(location=location)}
    return sizes, usages


def _reason(taker: Taker, need: Need, sizes: dict[str, Any], usages: dict[str, Any]) -> str | None:
    location = taker.location
    if need.size.lower() not in sizes:
        lists = f"`az ml compute list-sizes -l {location}` lists them"
        return f"Azure has no instance type '{need.size}' in {location}: {lists}"
    others = [
        each
        for who, each in list(_planned.items())
        if who != taker and _place(who) == _place(taker) and each.size.lower() in sizes
    ]
    for name in (_family_of(need, sizes), _TOTAL):
        usage = usages.get(family_key(name))
        # Azure returns -1 for no limit.
        if usage is None or usage["limit"] < 0:
            continue
        beside = [each for each in others if name in (_family_of(each, sizes), _TOTAL)]
        needed = sum(_cores(each, sizes) for each in (need, *beside))
        left = usage["limit"] - usage["currentValue"]
        if needed > left:
            named = ", ".join(f"{each.path} ({each.instances} x {each.size})" for each in beside)
            return (
                f"{need.instances} x {need.size}{f', together with {named},' if named else ''} take {needed} more "
                f"vCPUs of '{usage['name']['value']}' in {location}, in addition to the running deployments and with "
                f"Azure's reserve for upgrades, but only {left} of {usage['limit']} are left. Use fewer or smaller "
                "instances, or request quota (ml.azure.com, Manage, Quota)"
            )
    return None


def _place(taker: Taker) -> tuple[str, str]:
    return taker.subscription_id, taker.location


def _cores(need: Need, sizes: dict[str, Any]) -> int:
    """Return the number of additional vCPUs that a deployment needs."""
    more = reserved_instances(need.size, need.instances) - reserved_instances(need.size, need.before)
    return more * int(sizes[need.size.lower()]["vCPUs"])


def reserved_instances(size: str, instances: int) -> int:
    """Return how many instances a deployment takes from the quota, with those that Azure reserves for upgrades."""
    return instances if size.lower() in _NOT_RESERVED else -(-instances * 12 // 10)


def _family_of(need: Need, sizes: dict[str, Any]) -> str:
    return f"{sizes[need.size.lower()]['family']} Cluster Dedicated vCPUs"


def family_key(name: str) -> str:
    """Return a family's name in one form. Sizes have `standardDSv2Family`, usages `Standard DSv2 Family …`."""
    return re.sub(r"[^a-z0-9]", "", name.lower())
