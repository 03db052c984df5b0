"""A batch deployment beside an endpoint that is not as the last update left it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from pulumi_azureml.operations import ownership
from pulumi_azureml.operations.kinds import OPERATIONS
from pulumi_azureml.operations.kinds.batch_deployment import live_name

OWNER = "azureml-platform/test"


def test_an_endpoint_whose_default_somebody_took_away_shows_as_drift() -> None:
    definition = {"endpoint_name": "flights", "name": "scores"}
    props: dict[str, Any] = {
        "name": "flights/scores", "owner": OWNER, "content_hash": "0123456789ab", "definition": definition,
        "metadata": {}, "is_default": True,
    }  # fmt: skip
    tags = ownership.tagged(None, OWNER, props["content_hash"])
    deployment = SimpleNamespace(name=live_name(props), tags=tags, description=None)
    ml: Any = SimpleNamespace(
        batch_deployments=SimpleNamespace(list=lambda _endpoint: [deployment]),
        batch_endpoints=SimpleNamespace(get=lambda _name: SimpleNamespace(defaults=None)),
    )
    assert OPERATIONS["batch_deployment"].observe(ml, props) == {**props, "is_default": False}
