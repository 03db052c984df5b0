"""The kinds of jobs, one module for each: its problems, its properties as a pipeline's node, and its execution.

A module uses the properties of a job of its kind in the service's models. `Parallel` has no model, because it exists in
pipelines only. Its properties have the same form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from amlite.core.access import Principal
from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.environments import Prepared
from amlite.services.jobs.documents import Job
from amlite.services.jobs.kinds import automl, command, parallel, pipeline, spark, sweep


class Kind(Protocol):
    """The operations that every kind supports."""

    def problems(self, properties: Json) -> list[str]:
        """Return the problems of a job of this kind that can be found without reading another resource."""

    def from_node(self, component: Json, spec: Json) -> Json:
        """Return the kind-specific properties of a pipeline's node; `component` is its `componentSpec`.

        Raises ValueError for a node that cannot run here.
        """


class Program(Kind, Protocol):
    """A kind whose jobs are one program on a node."""

    async def prepare(
        self, platform: Platform, job: Job, log: Callable[[str], None], who: Principal | None
    ) -> Prepared:
        """Return the environment that the program runs in, ready; raises UnusableEnvironment."""

    def program(
        self, job: Job, inputs: Mapping[str, str | Path], outputs: Mapping[str, Path], folder: Path, prepared: Prepared
    ) -> tuple[list[str], dict[str, str]]:
        """Return the command line and variables of its own; `folder` is the job's, where it may leave files."""


PROGRAMS: dict[str, Program] = {"Command": command, "Parallel": parallel, "Spark": spark, "AutoML": automl}
KINDS: dict[str, Kind] = {**PROGRAMS, "Sweep": sweep, "Pipeline": pipeline}
