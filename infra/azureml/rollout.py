"""How a new deployment takes over an endpoint's traffic, or does not.

New deployment without traffic → smoke test → traffic in steps → old ones deleted. Whatever fails, the traffic is where it
was, the new deployment is removed and the reason is raised. Everything is found again by name and owner tag, so an attempt
that was cut off is resumed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from infra.azureml import ownership
from infra.azureml.connection import project_root
from infra.azureml.errors import RolloutError

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

_log = logging.getLogger(__name__)
_LOG_LINES = 40


class Rollout:
    """One rollout on one endpoint."""

    def __init__(self, ml: MLClient, props: dict[str, Any], sleep: Callable[[float], None] = time.sleep) -> None:
        """Take the endpoint resource's inputs; `sleep` waits out the bake time of a traffic step."""
        self._ml = ml
        self._sleep = sleep
        self._endpoint: str = props["name"]
        self._owner: str = props["owner"]
        self._smoke_request: str | None = props.get("smoke_request")
        self._steps: list[int] = props["rollout"]["steps"]
        self._bake: float = props["rollout"]["bake_seconds"]

    def run(self, wanted: Any | None, name: str | None) -> str | None:
        """Bring the endpoint to serve `wanted` (None: nothing) under `name`; return the live deployment's name.

        Raises:
            RolloutError: the new deployment failed to start, its smoke test or a traffic step; the old one still serves.
        """
        before = self._traffic()
        if wanted is None or name is None:
            if before:
                self._set_traffic({})
            self._sweep(keep=None)
            return None
        if before == {name: 100}:
            self._sweep(keep=name)
            return name
        try:
            self._ensure(wanted, name)
            self._smoke_test(name)
            self._shift(name, before)
        except RolloutError:
            self._give_up(name, before)
            raise
        self._sweep(keep=name)
        return name

    def _ensure(self, wanted: Any, name: str) -> None:
        from azure.core.exceptions import AzureError

        existing = {each.name: each for each in self._ml.online_deployments.list(self._endpoint)}.get(name)
        if existing is not None:
            ownership.check(f"deployment '{name}'", existing.tags, self._owner, adopt=False)
            if existing.provisioning_state == "Succeeded":
                return
            self._delete(name)
        _log.info("deploying %s to %s", name, self._endpoint)
        try:
            self._ml.online_deployments.begin_create_or_update(wanted).result()
        except AzureError as error:
            raise RolloutError(
                f"deployment '{name}' on endpoint '{self._endpoint}' did not start: {error}{self._logs(name)}"
            ) from error

    def _smoke_test(self, name: str) -> None:
        if self._smoke_request is None:
            return
        from azure.core.exceptions import AzureError

        path = project_root() / self._smoke_request
        try:
            self._ml.online_endpoints.invoke(endpoint_name=self._endpoint, deployment_name=name, request_file=str(path))
        except (AzureError, OSError) as error:
            raise RolloutError(
                f"deployment '{name}' on endpoint '{self._endpoint}' failed its smoke test with {self._smoke_request}: "
                f"{error}{self._logs(name)}"
            ) from error

    def _shift(self, name: str, before: dict[str, int]) -> None:
        from azure.core.exceptions import AzureError

        steps = self._steps if before else [100]
        for percent in steps:
            rest = 100 - percent
            shares = {each: round(share * rest / 100) for each, share in before.items() if each != name and rest}
            shares[name] = 100 - sum(shares.values())
            try:
                self._set_traffic(shares)
            except AzureError as error:
                raise RolloutError(f"endpoint '{self._endpoint}' refused traffic {shares}: {error}") from error
            if percent < 100:
                self._sleep(self._bake)
                self._smoke_test(name)

    def _give_up(self, name: str, before: dict[str, int]) -> None:
        if self._traffic() != before:
            self._set_traffic(before)
        if name not in before:
            self._delete(name)

    def _sweep(self, keep: str | None) -> None:
        """Delete this stack's other deployments: the old one, and what cut-off attempts left."""
        for each in self._ml.online_deployments.list(self._endpoint):
            if each.name != keep and (each.tags or {}).get(ownership.OWNER) == self._owner:
                self._delete(each.name)

    def _traffic(self) -> dict[str, int]:
        traffic = self._ml.online_endpoints.get(self._endpoint).traffic or {}
        return {name: int(percent) for name, percent in traffic.items() if int(percent) > 0}

    def _set_traffic(self, shares: dict[str, int]) -> None:
        _log.info("traffic of %s: %s", self._endpoint, shares)
        endpoint = self._ml.online_endpoints.get(self._endpoint)
        endpoint.traffic = shares
        self._ml.online_endpoints.begin_create_or_update(endpoint).result()

    def _delete(self, name: str) -> None:
        from azure.core.exceptions import ResourceNotFoundError

        try:
            self._ml.online_deployments.begin_delete(name=name, endpoint_name=self._endpoint).result()
        except ResourceNotFoundError:
            return

    def _logs(self, name: str) -> str:
        """Return the end of the deployment's log for an error message; empty when there is none to be had."""
        from azure.core.exceptions import AzureError

        try:
            content = self._ml.online_deployments.get_logs(name=name, endpoint_name=self._endpoint, lines=_LOG_LINES)
        except AzureError:
            return ""
        return f"\nlast lines of its log:\n{content}" if content else ""
