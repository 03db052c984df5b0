"""Rollout of a new deployment on an endpoint, with rollback.

A rollout creates the new deployment without traffic, runs a smoke test, moves the traffic in steps with a bake and
checks each, and deletes the old deployments. After a failure, it returns the traffic to the previous deployments,
removes the new one and raises the reason. It resumes an interrupted attempt, which it recognizes by the deployment's
name, the owner tag and the step in the endpoint's tags.
"""

from __future__ import annotations

import functools
import json
import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pulumi_azureml.operations import arm, autoscale, collector, ownership, progress
from pulumi_azureml.operations.checks import CheckError, Checks
from pulumi_azureml.operations.drift import drift
from pulumi_azureml.operations.errors import DeploymentError, RolloutError
from pulumi_azureml.operations.kind import endpoint_label
from pulumi_azureml.operations.progress import Progress
from pulumi_azureml.operations.retry import finished, settled
from pulumi_azureml.operations.scoring import ScoringTarget, score
from pulumi_azureml.planning.project import project_root

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

_log = logging.getLogger(__name__)
_LOG_LINES = 40
# Azure Monitor counts by the minute: more frequent queries would show nothing new.
_CHECK_SECONDS = 60.0
_API_VERSION = "2024-10-01"


class Rollout:
    """One rollout on one endpoint."""

    def __init__(
        self,
        ml: MLClient,
        props: dict[str, Any],
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        """Take the endpoint resource's inputs.

        Args:
            ml: the workspace's client.
            props: the inputs, as described in `operations.kinds.online_endpoint`.
            sleep: waits the given seconds of a bake.
            now: returns the current time, UTC, for bakes and metric queries. By default, it is Azure's.
        """
        self._ml = ml
        self._sleep = sleep
        self._endpoint: str = props["name"]
        self._name: str = props["definition"]["name"]
        self._label = endpoint_label("endpoint", self._name, self._endpoint)
        self._owner: str = props["owner"]
        self._adopt: bool = props.get("adopt", False)
        self._definition: dict[str, Any] = (props.get("deployment") or {}).get("definition", {})
        self._smoke_request: str | None = props.get("smoke_request")
        self._autoscale: dict[str, Any] | None = props.get("autoscale")
        # The engine passes every number as a float.
        self._steps = [int(percent) for percent in props["rollout"]["steps"]]
        self._bake_seconds: float = props["rollout"]["bake_seconds"]
        entity = ml.online_endpoints.get(self._endpoint)
        self._target = ScoringTarget(str(entity.id), str(entity.scoring_uri), str(entity.auth_mode).lower())
        self._now = now or functools.partial(arm.time_of, self._target.id, _API_VERSION)
        self._location: str = entity.location
        self._before = shares(entity.traffic)
        self._reached = Progress.read(entity.tags)
        self._checks = Checks(props["rollout"].get("checks") or {}, self._endpoint, self._target)
        # Whether the new deployment must still pass a bake once it has all the traffic.
        self._judges = self._bake_seconds > 0 or self._checks.any

    def run(self, wanted: Any | None, name: str | None) -> str | None:
        """Make the endpoint serve `wanted` (None: nothing) under `name`. Return the live deployment's name.

        Raises:
            RolloutError: the new deployment failed to start, or failed its smoke test, a check or a traffic step. The
                previous deployment still serves.
            OwnershipError: another owner's deployment has the name.
            AssetError: an operation of an earlier attempt has not ended in time.
        """
        if wanted is None or name is None:
            self._serve_nothing()
            return None
        before, reached = self._before, self._reached
        if self._adopt:
            self._take_over()
        served = self._served_before(name)
        if reached is not None and name in reached.before and self._is_up(name):
            # The configuration was reverted after an interrupted rollout: the previous deployment is known to be good.
            self._move({name: 100}, None)
            self._ensure(wanted, name, serving=True)
        elif before == {name: 100} and reached is None:
            self._ensure(wanted, name, serving=True)
        else:
            try:
                self._ensure(wanted, name, serving=name in before)
                if self._smoke_request is None:
                    self._say(f"no smoke test of {name}: the endpoint has no sample-request.json")
                self._smoke_test(name)
                self._shift(name, served)
            except RolloutError as error:
                self._give_up(name, served, error)
                raise
        self._sweep(keep=name)
        return name

    def _is_up(self, name: str) -> bool:
        deployments = self._ml.online_deployments.list(self._endpoint)
        return any(each.name == name and each.provisioning_state == "Succeeded" for each in deployments)

    def _served_before(self, name: str) -> dict[str, int]:
        """Return the deployments that served before this rollout and before any interrupted attempt."""
        others = {each: share for each, share in self._before.items() if each != name}
        if self._reached is not None:
            there = {each.name for each in self._ml.online_deployments.list(self._endpoint)}
            known = {each: share for each, share in self._reached.before.items() if each in there and each != name}
            return scaled(known or others, 100)
        return scaled(others, 100)

    def _serve_nothing(self) -> None:
        """Remove the traffic from this stack's deployments and delete them. Other deployments keep their traffic."""
        deployments = list(self._ml.online_deployments.list(self._endpoint))
        ours = {each.name for each in deployments if ownership.is_ours(each.tags, self._owner)}
        if ours & self._before.keys():
            self._move(scaled({each: share for each, share in self._before.items() if each not in ours}, 100), None)
        self._sweep(keep=None)

    def _take_over(self) -> None:
        """Mark the live deployments of an adopted endpoint as this stack's, so that a replacement deletes them."""
        for each in list(self._ml.online_deployments.list(self._endpoint)):
            if each.name in self._before and not ownership.is_ours(each.tags, self._owner):
                self._say(f"taking over deployment {each.name}, which serves")
                each.tags = {**(each.tags or {}), ownership.OWNER: self._owner}
                self._write(each)

    def _ensure(self, wanted: Any, name: str, *, serving: bool) -> None:
        from pulumi_azureml.operations.sdk import AzureError

        if self._autoscale:
            wanted.tags = {**(wanted.tags or {}), autoscale.TAG: "true"}
        existing = self._settled(name)
        if existing is not None:
            ownership.check(f"deployment '{name}'", existing.tags, self._owner, adopt=self._adopt)
            if existing.provisioning_state == "Succeeded":
                self._update_in_place(existing, wanted)
                return
            if not serving:
                self._delete(existing)
        self._say(f"deploying {name}, without traffic" if not serving else f"repairing {name}")
        try:
            self._write(wanted)
        except AzureError as error:
            raise DeploymentError(
                f"deployment '{name}' on {self._label} did not start: {error}{self._logs(name)}"
            ) from error
        self._scale(name)

    def _settled(self, name: str) -> Any | None:
        """Return the deployment once no operation of an earlier attempt runs on it, or None if it does not exist."""

        def look() -> Any | None:
            return {each.name: each for each in self._ml.online_deployments.list(self._endpoint)}.get(name)

        return settled(look, lambda found: found.provisioning_state, f"deployment '{name}'", self._sleep)

    def _update_in_place(self, existing: Any, wanted: Any) -> None:
        """Update everything that is not part of the content: instance count, autoscale, tags, description.

        Manual changes are undone too, since the definition is known to serve.
        """
        from pulumi_azureml.operations.sdk import AzureError

        name = existing.name
        changed = drift(existing, self._definition)
        # The tag is written before the setting and removed after it.
        if autoscale.TAG in (existing.tags or {}) and not self._autoscale:
            autoscale.remove(self._target.id, name)
            existing.tags = {key: value for key, value in existing.tags.items() if key != autoscale.TAG}
            changed |= drift(existing, self._definition)
            changed["tags"] = None
        for key in ("tags", "description"):
            if (getattr(existing, key) or None) != (getattr(wanted, key) or None):
                changed[key] = None
        if changed:
            self._say(f"changing {', '.join(sorted(changed))} of {name} in place")
            old = {key: getattr(existing, key, None) for key in changed}
            for key in changed:
                setattr(existing, key, getattr(wanted, key))
            try:
                self._write(existing)
            except AzureError as error:
                self._undo(existing, old)
                raise DeploymentError(
                    f"deployment '{name}' on {self._label} could not be changed in place "
                    f"({', '.join(sorted(changed))}), and serves as before: {error}"
                ) from error
        self._scale(name)

    def _undo(self, existing: Any, old: Mapping[str, Any]) -> None:
        """Restore a deployment as far as Azure allows: a failed change leaves it marked as failed."""
        from pulumi_azureml.operations.sdk import AzureError

        for key, value in old.items():
            setattr(existing, key, value)
        try:
            self._write(existing)
        except AzureError as error:
            _log.warning("endpoint %s: %s could not be set back: %s", self._name, existing.name, error)

    def _write(self, deployment: Any) -> None:
        given = deployment.data_collector
        deployment.data_collector = collector.renewed(given)
        try:
            finished(self._ml.online_deployments.begin_create_or_update(deployment), f"deployment '{deployment.name}'")
        finally:
            deployment.data_collector = given

    def _scale(self, name: str) -> None:
        if not self._autoscale:
            return
        from pulumi_azureml.operations.sdk import AzureError

        try:
            autoscale.apply(self._autoscale, self._target.id, name, self._location)
        except AzureError as error:
            raise RolloutError(
                f"deployment '{name}' on {self._label} could not get its autoscale setting: {error}"
            ) from error

    def _smoke_test(self, name: str) -> None:
        if self._smoke_request is None:
            return
        from pulumi_azureml.operations.sdk import AzureError

        self._say(f"smoke test of {name} with {self._smoke_request}")
        try:
            request = json.loads((project_root() / self._smoke_request).read_text("utf-8-sig"))
            score(self._target, request, name)
        except (AzureError, OSError, ValueError) as error:
            raise DeploymentError(
                f"deployment '{name}' on {self._label} failed its smoke test with {self._smoke_request}: "
                f"{error}{self._logs(name)}"
            ) from error

    def _shift(self, name: str, old: Mapping[str, int]) -> None:
        """Give the new deployment each step's share, and the old ones the rest in their previous proportions.

        A resumed rollout keeps the share it has reached and bakes only for the remaining time.
        """
        from pulumi_azureml.operations.sdk import AzureError

        reached = self._reached if self._reached is not None and self._reached.deployment == name else None
        share = self._before.get(name, 0)
        for percent in [each for each in self._steps if each >= share] if old else [100]:
            if reached is not None and reached.percent == percent == share:
                since = reached.since
                self._say(f"resuming {name} at {percent} % of the traffic")
            else:
                since = self._now().replace(microsecond=0)
                step = Progress(name, percent, since, old) if old and (percent < 100 or self._judges) else None
                try:
                    self._move({**scaled(old, 100 - percent), name: percent}, step)
                except AzureError as error:
                    raise RolloutError(f"{self._label} refused {percent} % to {name}: {error}") from error
            if old:
                self._bake(name, percent, since)
        if old and self._judges:
            self._move({name: 100}, None)

    def _bake(self, name: str, percent: int, since: datetime) -> None:
        """Bake for a step's time. Check the new deployment's metrics meanwhile, and run all checks at the end."""
        left = self._bake_seconds - (self._now() - since).total_seconds()
        if left > 0:
            self._say(f"{name} bakes for {left:.0f} s with {percent} % of the traffic")
        try:
            while left > 0:
                pause = min(left, _CHECK_SECONDS)
                self._sleep(pause)
                now = self._now()
                left = min(left - pause, self._bake_seconds - (now - since).total_seconds())
                if left > 0 and self._checks.measures:
                    self._checks.early(name, since, now)
            if percent < 100 or self._judges:
                self._smoke_test(name)
            seen = self._checks.final(name, percent, since, self._now())
        except CheckError as failure:
            raise DeploymentError(
                f"deployment '{name}' on {self._label} failed its checks at {percent} % of the traffic: "
                f"{failure}{self._logs(name)}"
            ) from failure
        if seen:
            self._say(f"{name} passed its checks at {percent} % of the traffic: {seen}")

    def _give_up(self, name: str, old: Mapping[str, int], why: RolloutError) -> None:
        """Return the traffic and remove the new deployment. The next update completes anything that fails here."""
        from pulumi_azureml.operations.sdk import AzureError

        if not old:
            advice = "correct the deployment, and the next `pulumi up` goes on here"
            why.args = (f"{why}\n{self._label} stays, without a deployment: {advice}",)
        try:
            entity = self._ml.online_endpoints.get(self._endpoint)
            if shares(entity.traffic) != old or progress.TAG in (entity.tags or {}):
                self._move(old, None)
            for each in list(self._ml.online_deployments.list(self._endpoint)):
                if each.name == name:
                    self._delete(each)
            if old:
                why.args = (f"{why}\n{self._label} serves as before: {_listed(old)}",)
        except AzureError as error:
            why.args = (f"{why}\nand the rollback failed, so the next update completes it: {error}",)

    def _sweep(self, keep: str | None) -> None:
        """Delete this stack's other deployments: the old one, and leftovers of interrupted attempts."""
        for each in list(self._ml.online_deployments.list(self._endpoint)):
            if each.name != keep and ownership.is_ours(each.tags, self._owner):
                self._delete(each)

    def _move(self, traffic: Mapping[str, int], step: Progress | None) -> None:
        """Set the traffic and, in the same request, its step. None means that no rollout is under way."""
        wanted = {each: share for each, share in traffic.items() if share}
        entity = self._ml.online_endpoints.get(self._endpoint)
        if shares(entity.traffic) != wanted:
            self._say("traffic: " + (_listed(wanted) or "none"))
        entity.traffic = wanted
        entity.tags = {key: value for key, value in (entity.tags or {}).items() if key != progress.TAG}
        if step is not None:
            entity.tags[progress.TAG] = step.text()
        finished(self._ml.online_endpoints.begin_create_or_update(entity), self._label)

    def _delete(self, deployment: Any) -> None:
        """Delete a deployment after its autoscale setting, which Azure would leave behind."""
        from pulumi_azureml.operations.sdk import ResourceNotFoundError

        name = deployment.name
        self._say(f"deleting {name}")
        if autoscale.TAG in (deployment.tags or {}):
            autoscale.remove(self._target.id, name)
        try:
            deleting = self._ml.online_deployments.begin_delete(name=name, endpoint_name=self._endpoint)
            finished(deleting, f"deployment '{name}'")
        except ResourceNotFoundError:
            return

    def _say(self, what: str) -> None:
        _log.info("endpoint %s: %s", self._name, what)

    def _logs(self, name: str) -> str:
        """Return the end of the deployment's log for an error message, or an empty text if it cannot be read."""
        from pulumi_azureml.operations.sdk import AzureError

        try:
            content = self._ml.online_deployments.get_logs(name=name, endpoint_name=self._endpoint, lines=_LOG_LINES)
        except AzureError:
            return ""
        return f"\nlast lines of its log:\n{content}" if content else ""


def shares(traffic: Mapping[str, Any] | None) -> dict[str, int]:
    """Return the deployments that get traffic and their percentages."""
    return {name: int(percent) for name, percent in (traffic or {}).items() if int(percent) > 0}


def scaled(traffic: Mapping[str, int], total: int) -> dict[str, int]:
    """Scale shares to another sum, in whole percent. An empty mapping stays empty."""
    result: dict[str, int] = {}
    left, whole = total, sum(traffic.values())
    for name, share in traffic.items():
        result[name] = round(left * share / whole)
        left, whole = left - result[name], whole - share
    return result


def _listed(traffic: Mapping[str, int]) -> str:
    return ", ".join(f"{each} {share} %" for each, share in traffic.items())
