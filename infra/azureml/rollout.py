"""How a new deployment takes over an endpoint's traffic, or does not.

New deployment without traffic → smoke test → traffic in steps → old ones deleted. Whatever fails, the traffic goes back
to where it was, the new deployment is removed and the reason is raised. Everything is found again by name and owner
tag, so an attempt that was cut off is resumed.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from infra.azureml import ownership
from infra.azureml.connection import project_root
from infra.azureml.errors import RolloutError
from infra.azureml.scoring import score

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

_log = logging.getLogger(__name__)
_LOG_LINES = 40
_POLL_SECONDS = 5.0
_UNFINISHED = frozenset({"Creating", "Updating", "Deleting", "Scaling"})


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
            RolloutError: the new deployment failed to start, its smoke test or a traffic step; what served still does.
            OwnershipError: somebody else's deployment has the name.
        """
        before = self._traffic()
        if wanted is None or name is None:
            if before:
                self._set_traffic({})
            self._sweep(keep=None)
            return None
        # Traffic on the new deployment is that of an attempt that was cut off: the others are what served before it.
        old = scaled({each: share for each, share in before.items() if each != name}, 100)
        try:
            self._ensure(wanted, name, serving=name in before)
            if before != {name: 100}:
                self._smoke_test(name)
                self._shift(name, old)
        except RolloutError as error:
            if before != {name: 100}:
                self._give_up(name, old, error)
            raise
        self._sweep(keep=name)
        return name

    def _ensure(self, wanted: Any, name: str, *, serving: bool) -> None:
        from azure.core.exceptions import AzureError

        existing = self._settled(name)
        if existing is not None:
            ownership.check(f"deployment '{name}'", existing.tags, self._owner, adopt=False)
            if existing.provisioning_state == "Succeeded":
                self._describe(existing, wanted)
                return
            if not serving:
                self._delete(name)
        _log.info("deploying %s to %s", name, self._endpoint)
        try:
            self._ml.online_deployments.begin_create_or_update(wanted).result()
        except AzureError as error:
            raise RolloutError(
                f"deployment '{name}' on endpoint '{self._endpoint}' did not start: {error}{self._logs(name)}"
            ) from error

    def _settled(self, name: str) -> Any | None:
        """Return the deployment once no operation of an earlier attempt runs on it; None when there is none."""
        while True:
            found = {each.name: each for each in self._ml.online_deployments.list(self._endpoint)}.get(name)
            if found is None or found.provisioning_state not in _UNFINISHED:
                return found
            self._sleep(_POLL_SECONDS)

    def _describe(self, existing: Any, wanted: Any) -> None:
        """Bring tags and description, which are no part of the content, to what is wanted."""
        if (existing.tags or {}) == wanted.tags and (existing.description or None) == (wanted.description or None):
            return
        existing.tags, existing.description = wanted.tags, wanted.description
        self._ml.online_deployments.begin_create_or_update(existing).result()

    def _smoke_test(self, name: str) -> None:
        if self._smoke_request is None:
            return
        from azure.core.exceptions import AzureError

        try:
            request = json.loads((project_root() / self._smoke_request).read_text("utf-8"))
            score(self._ml, self._endpoint, request, name)
        except (AzureError, OSError, ValueError) as error:
            raise RolloutError(
                f"deployment '{name}' on endpoint '{self._endpoint}' failed its smoke test with {self._smoke_request}: "
                f"{error}{self._logs(name)}"
            ) from error

    def _shift(self, name: str, old: Mapping[str, int]) -> None:
        """Give the new deployment each step's share, and the old ones the rest as they had it among them."""
        from azure.core.exceptions import AzureError

        for percent in self._steps if old else [100]:
            shares = {**scaled(old, 100 - percent), name: percent}
            try:
                self._set_traffic(shares)
            except AzureError as error:
                raise RolloutError(f"endpoint '{self._endpoint}' refused traffic {shares}: {error}") from error
            if percent < 100:
                self._sleep(self._bake)
                self._smoke_test(name)

    def _give_up(self, name: str, old: Mapping[str, int], why: RolloutError) -> None:
        """Return the traffic and remove the new deployment. What cannot be done now, the next update does."""
        from azure.core.exceptions import AzureError

        try:
            if self._traffic() != old:
                self._set_traffic(old)
            self._delete(name)
        except AzureError as error:
            why.args = (f"{why}\nand it could not be taken back now, which the next update does: {error}",)

    def _sweep(self, keep: str | None) -> None:
        """Delete this stack's other deployments: the old one, and what cut-off attempts left."""
        for each in list(self._ml.online_deployments.list(self._endpoint)):
            if each.name != keep and (each.tags or {}).get(ownership.OWNER) == self._owner:
                self._delete(each.name)

    def _traffic(self) -> dict[str, int]:
        return shares(self._ml.online_endpoints.get(self._endpoint).traffic)

    def _set_traffic(self, shares: Mapping[str, int]) -> None:
        _log.info("traffic of %s: %s", self._endpoint, shares)
        endpoint = self._ml.online_endpoints.get(self._endpoint)
        endpoint.traffic = {each: share for each, share in shares.items() if share}
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


def shares(traffic: Mapping[str, Any] | None) -> dict[str, int]:
    """Return the deployments that get traffic, and how many percent."""
    return {name: int(percent) for name, percent in (traffic or {}).items() if int(percent) > 0}


def scaled(traffic: Mapping[str, int], total: int) -> dict[str, int]:
    """Return the same proportions with another sum, in whole percent; nothing stays nothing."""
    result: dict[str, int] = {}
    left, whole = total, sum(traffic.values())
    for name, share in traffic.items():
        result[name] = round(left * share / whole)
        left, whole = left - result[name], whole - share
    return result
