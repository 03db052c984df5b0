"""Runs: the times, logs, parameters and metrics of jobs, which only run history and MLflow have.

A run's id is the name of its job. A pipeline's steps are runs too, and Azure Resource Manager does not show them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pulumi_azureml.operations.arm import get

_LOGS = "user_logs/"
_MAX_POINTS = "1000"
# A step that was not run again has its metrics and logs in the earlier run.
_REUSED = "azureml.reusedrunid"


@dataclass(frozen=True)
class Run:
    """A run: its id, its name in its pipeline, its status, and its times as ISO 8601 text (None if not reached).

    `error` is Azure's reason for a failure, and `canceled` for a cancellation. `reused` is the id of the earlier run
    whose results it took.
    """

    id: str
    name: str
    status: str
    created: str | None
    started: str | None
    ended: str | None
    error: str = ""
    canceled: str = ""
    reused: str = ""

    @property
    def source(self) -> str:
        """The id of the run that has the metrics and logs."""
        return self.reused or self.id


@dataclass(frozen=True)
class Logged:
    """The parameters of a run, and the last value of each metric, which may be NaN."""

    parameters: Mapping[str, str]
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Point:
    """A logged value of a metric: its step, the time in milliseconds since 1970, and the value."""

    step: int
    timestamp: int
    value: float


class Runs:
    """The runs of a workspace. Every method raises ResourceNotFoundError if the run does not exist."""

    def __init__(self, tracking_uri: str) -> None:
        """Take the workspace's tracking URI, `azureml://<region>…`, from the workspace or from a job's `services`."""
        address = tracking_uri.partition("://")[2].partition("?")[0]
        host, _, self._workspace = address.partition("/mlflow/v1.0/")
        self._history = f"https://{host}/history/v1.0/{self._workspace}/runs"
        self._mlflow = f"https://{host}/mlflow/v1.0/{self._workspace}/api/2.0/mlflow"

    def get(self, run: str) -> Run:
        """Return a run."""
        return _run(get(f"{self._history}/{run}/details"))

    def children(self, run: str) -> list[Run]:
        """Return the steps of a pipeline."""
        page = get(f"{self._history}/{run}/children")
        found = list(page["value"])
        while page.get("nextLink"):
            page = get(page["nextLink"])
            found += page["value"]
        return [_run(each) for each in found]

    def logged(self, run: str) -> Logged:
        """Return what a run logged with MLflow."""
        data = get(f"{self._mlflow}/runs/get", {"run_id": run})["run"].get("data") or {}
        return Logged(
            {each["key"]: str(each["value"]) for each in data.get("params") or []},
            {each["key"]: _number(each.get("value")) for each in data.get("metrics") or []},
        )

    def history(self, run: str, metric: str) -> list[Point]:
        """Return every logged value of a metric, in the order of steps and times."""
        query = {"run_id": run, "metric_key": metric, "max_results": _MAX_POINTS}
        found: list[Point] = []
        while True:
            page = get(f"{self._mlflow}/metrics/get-history", query)
            found += [
                Point(int(each.get("step") or 0), int(each["timestamp"]), _number(each.get("value")))
                for each in page.get("metrics") or []
            ]
            if not page.get("next_page_token"):
                return sorted(found, key=lambda point: (point.step, point.timestamp))
            query["page_token"] = page["next_page_token"]

    def logs(self, run: str) -> dict[str, str]:
        """Return the addresses of a run's own logs, by their names. `tail` reads one."""
        files = get(f"{self._history}/{run}/details").get("logFiles") or {}
        return {name.removeprefix(_LOGS): url for name, url in sorted(files.items()) if name.startswith(_LOGS)}


def _run(body: Mapping[str, Any]) -> Run:
    properties = body.get("properties") or {}
    return Run(
        id=str(body["runId"]),
        name=str(body.get("displayName") or body.get("name") or body["runId"]),
        status=str(body["status"]),
        created=body.get("createdUtc") or body.get("createdTimeUtc"),
        started=body.get("startTimeUtc"),
        ended=body.get("endTimeUtc"),
        error=str(((body.get("error") or {}).get("error") or {}).get("message") or ""),
        canceled=str(body.get("cancelationReason") or ""),
        reused=str(properties.get(_REUSED) or ""),
    )


def _number(value: Any) -> float:
    """Return a value of MLflow, whose JSON has NaN and the infinities as text."""
    return float("nan") if value is None else float(value)
