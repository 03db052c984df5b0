"""Rules about endpoints."""

from __future__ import annotations

from collections.abc import Iterator

from policy.rule import Scene, rule
from policy.subject import Resource

_ENDPOINT = "azureml:OnlineEndpoint"


@rule(
    "endpoint-auth", "mandatory", _ENDPOINT,
    reason="Anyone can call an endpoint without authentication.",
    fix="set auth_mode to aad_token, aml_token or key",
)  # fmt: skip
def endpoint_auth(resource: Resource, scene: Scene) -> Iterator[str]:
    """Callers need a key or a token. The default is a key."""
    del scene
    mode = resource.get("definition.auth_mode")
    if mode is not None and str(mode).lower() not in ("key", "aml_token", "aad_token"):
        yield f"auth_mode is {mode}"


@rule(
    "endpoint-entra-auth", "mandatory", _ENDPOINT,
    reason="A key does not expire, and no log shows who used it.",
    fix="set `auth_mode: aad_token`",
    optional=True,
)  # fmt: skip
def endpoint_entra_auth(resource: Resource, scene: Scene) -> Iterator[str]:
    """Callers sign in with Entra ID."""
    del scene
    mode = resource.get("definition.auth_mode") or "key"
    if str(mode).lower() != "aad_token":
        yield f"auth_mode is {mode}"


@rule(
    "endpoint-instances", "advisory", _ENDPOINT,
    reason="With one instance, an upgrade or a failure of its machine causes an outage.",
    fix="set instance_count to 2 or more",
    elsewhere="off",
)  # fmt: skip
def endpoint_instances(resource: Resource, scene: Scene) -> Iterator[str]:
    """A production deployment has at least two instances."""
    del scene
    if not resource.get("deployment.definition"):
        return
    count = resource.number("deployment.definition.instance_count") or 1
    if count < 2:
        yield f"instance_count is {count:g}"


@rule(
    "endpoint-canary", "advisory", _ENDPOINT,
    reason="A faulty model that gets all traffic in one step fails for all callers.",
    fix="set several rollout.steps, such as [10, 50, 100]",
    elsewhere="off",
)  # fmt: skip
def endpoint_canary(resource: Resource, scene: Scene) -> Iterator[str]:
    """A production rollout has more than one step."""
    del scene
    steps = resource.get("rollout.steps")
    if isinstance(steps, list) and len(steps) < 2:
        yield f"rollout.steps is {[int(each) for each in steps]}"
