"""The quota part of a preview: the vCPUs that its rollouts need in addition, and those that are left."""

from __future__ import annotations

from collections.abc import Iterable

from pulumi_azureml.operations import Need, Workspace, connect, demands, deployment_need
from release.planned import PlannedResource
from release.preview.document import QuotaNeed

_ENDPOINT = "azureml:OnlineEndpoint"


def part(planned: Iterable[PlannedResource]) -> list[QuotaNeed] | None:
    """Return what the planned endpoints need, by limit and region. None if Azure does not say what is left.

    Sends no request if no endpoint needs more vCPUs.
    """
    from azure.core.exceptions import AzureError  # slow to import

    needs: dict[tuple[str, str], list[Need]] = {}
    for each in planned:
        before, after = dict(each.before or {}), dict(each.after or {})
        location = after.get("location")
        need = deployment_need(before, after) if each.type.endswith(_ENDPOINT) and location else None
        if need is not None:
            needs.setdefault((after["workspace"]["subscription_id"], str(location)), []).append(need)
    found = []
    for (subscription, location), each_need in needs.items():
        try:
            # Quota belongs to the subscription, and the workspace may not exist yet.
            demanded = demands(connect(Workspace(subscription, "-", "-")), location, each_need)
        except AzureError:
            return None
        found += [
            QuotaNeed(family=each.limit, location=location, needed=each.needed, free=each.left) for each in demanded
        ]
    return found
