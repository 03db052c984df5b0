from __future__ import annotations

import pytest

from amlite.core.platform import Platform
from amlite.services.serving import servers

WORKSPACES = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces"


@pytest.mark.attack
def test_a_deployment_has_no_log_of_another_one(platform: Platform) -> None:
    """Others can write the names of an endpoint and a deployment so that they look the same, also in another region."""
    names = (("w", "a-b", "c"), ("w", "a", "b-c"), ("other", "a", "b-c"))
    ids = [f"{WORKSPACES}/{owner}/onlineEndpoints/{endpoint}/deployments/{name}" for owner, endpoint, name in names]
    logs = {servers.preparation_log(platform, each) for each in ids}
    assert len(logs) == len(ids)
    assert servers.preparation_log(platform, ids[0].upper()).name.endswith(
        servers.preparation_log(platform, ids[0]).name.rpartition("-")[2]
    )
