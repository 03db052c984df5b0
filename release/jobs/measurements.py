"""The parameters and metrics of a job and its steps, from MLflow."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from pulumi_azureml.operations import Logged, Point, Run
from release.errors import ReleaseError
from release.jobs.records import Job

_AT_ONCE = 8


@dataclass(frozen=True)
class RunMeasurements:
    """What a job and its steps logged. A name is `<step>.<name>`, or `<name>` if the job itself logged it.

    Attributes:
        job: The job.
        steps: Its steps.
        parameters: Its inputs and the logged parameters.
        metrics: The last value of each metric.
        sources: The run and the name in MLflow of each metric.
    """

    job: Job
    steps: tuple[Run, ...]
    parameters: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    sources: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def history(self, metric: str) -> list[Point]:
        """Return every value of a metric.

        Raises:
            ReleaseError: The job has no such metric.
        """
        if metric not in self.sources:
            known = ", ".join(sorted(self.metrics)) or "none"
            raise ReleaseError(f"job {self.job.name} has no metric '{metric}'; it has: {known}")
        return self.job.runs.history(*self.sources[metric])


def measured(job: Job) -> RunMeasurements:
    """Return what a job and its steps logged."""
    runs = job.runs
    steps = tuple(runs.children(job.name)) if job.properties.get("jobType") == "Pipeline" else ()
    sources = [("", job.name), *((f"{step.name}.", step.source) for step in steps)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        logged = list(pool.map(lambda each: _logged(job, each[1]), sources))
    parameters = inputs(job)
    metrics: dict[str, float] = {}
    places: dict[str, tuple[str, str]] = {}
    for (prefix, run), each in zip(sources, logged, strict=True):
        parameters |= {f"{prefix}{name}": value for name, value in each.parameters.items()}
        metrics |= {f"{prefix}{name}": value for name, value in each.metrics.items()}
        places |= {f"{prefix}{name}": (run, name) for name in each.metrics}
    return RunMeasurements(job, steps, parameters, metrics, places)


def inputs(job: Job) -> dict[str, str]:
    """Return a job's inputs: the value, or the URI of the data."""
    given = job.properties.get("inputs") or {}
    return {
        name: str(value.get("value") if value.get("jobInputType") == "literal" else value.get("uri"))
        for name, value in given.items()
        if value
    }


def compared(values: Iterable[Mapping[str, Any]]) -> dict[str, tuple[list[Any], bool]]:
    """Return the values of several jobs by name (None where a job has none), and whether they differ."""
    all_values = list(values)
    names = sorted({name for each in all_values for name in each})
    rows = {name: [each.get(name) for each in all_values] for name in names}
    return {name: (row, any(not _same(row[0], each) for each in row[1:])) for name, row in rows.items()}


def _same(one: Any, other: Any) -> bool:
    both_nan = all(isinstance(each, float) and math.isnan(each) for each in (one, other))
    return both_nan or bool(one == other)


def _logged(job: Job, run: str) -> Logged:
    from azure.core.exceptions import ResourceNotFoundError

    try:
        return job.runs.logged(run)
    except ResourceNotFoundError:  # a step that did not start has no run in MLflow
        return Logged({}, {})
