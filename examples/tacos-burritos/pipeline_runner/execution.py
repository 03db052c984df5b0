"""Runs a pipeline step by step. A step that fails ends the run."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from pipeline_runner import values
from pipeline_runner.cluster import IDENTITY_LABEL, Cluster, Identity
from pipeline_runner.document import Constant, Pipeline, PipelineInput, Source, Task
from pipeline_runner.errors import RunnerError
from pipeline_runner.records import RunRecord, TaskRecord
from pipeline_runner.step import Engine, Step

LOG_LINES = 15


class Observer(Protocol):
    """Sees what happens in a run."""

    def started(self, run: RunRecord) -> None:
        """The run begins."""

    def said(self, text: str) -> None:
        """Something takes time, such as the pull of an image."""

    def changed(self, task: TaskRecord) -> None:
        """A task has another status."""

    def ended(self, run: RunRecord) -> None:
        """The run has ended, with success or not."""


@dataclass(frozen=True)
class Place:
    """What runs the steps, where, and with which variables: `folder` keeps the runs."""

    engine: Engine
    cluster: Cluster
    folder: Path
    environment: Mapping[str, str]
    files: Mapping[str, Path]


def execute(
    pipeline: Pipeline, given: Mapping[str, Any], place: Place, observer: Observer, cause: str = ""
) -> RunRecord:
    """Run a pipeline to its end, and return its record.

    Images, parameters, claims and secrets are checked before the first step.

    Raises:
        RunnerError: The pipeline cannot start, or a step failed. The record of a failed run says which.
    """
    parameters = values.arguments(pipeline.parameters, given)
    for task in pipeline.tasks:
        _needs(task, place.cluster)
    for image in dict.fromkeys(task.executor.image for task in pipeline.tasks):
        place.engine.prepare(image, observer.said)
    started = datetime.now(UTC)
    record = RunRecord(
        id=f"{pipeline.name}-{started:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
        pipeline=pipeline.name,
        version=pipeline.version,
        engine=place.engine.label,
        started=started.isoformat(timespec="seconds"),
        parameters=parameters,
        tasks=[TaskRecord(task.name) for task in pipeline.tasks],
        cause=cause,
    )
    run = _Run(pipeline, record, place, observer)
    return run.execute()


def _needs(task: Task, cluster: Cluster) -> tuple[dict[str, Path], dict[str, str]]:
    """Return the folders of a task's claims by their paths in the container, and its variables from secrets."""
    try:
        claims = {each.path: cluster.claim(each.name) for each in task.executor.claims}
        variables = {each.variable: cluster.secret(each) for each in task.executor.secrets}
    except RunnerError as error:
        raise RunnerError(f"task {task.name}: {error}") from error
    return claims, variables


class _Run:
    """A run in progress."""

    def __init__(self, pipeline: Pipeline, record: RunRecord, place: Place, observer: Observer) -> None:
        self._pipeline = pipeline
        self._record = record
        self._place = place
        self._observer = observer
        self._folder = place.folder / record.id

    def execute(self) -> RunRecord:
        began = time.monotonic()
        (self._folder / "logs").mkdir(parents=True)
        self._save()
        self._observer.started(self._record)
        try:
            for task in self._pipeline.tasks:
                self._task(task)
        except BaseException:
            self._record.status = "Failed"
            for each in self._record.tasks:
                if each.status == "Pending":
                    each.status = "Skipped"
                    self._observer.changed(each)
            raise
        else:
            self._record.status = "Succeeded"
        finally:
            self._record.seconds = round(time.monotonic() - began, 3)
            self._save()
            self._observer.ended(self._record)
        return self._record

    def _task(self, task: Task) -> None:
        """Run a task. Raises RunnerError if it fails."""
        record = self._record.task(task.name)
        record.log = str(self._folder / "logs" / f"{task.name}.log")
        record.status = "Running"
        self._save()
        self._observer.changed(record)
        began = time.monotonic()
        last: list[str] = []
        try:
            asked = self._executor_input(task)
            with Path(record.log).open("w", encoding="utf-8") as log:

                def line(text: str) -> None:
                    log.write(f"{text}\n")
                    log.flush()
                    last[:] = [*last[1 - LOG_LINES :], text]

                outcome = self._place.engine.run(self._step(task, asked), line)
            if outcome.code != 0:
                why = f" ({outcome.reason})" if outcome.reason else ""
                raise RunnerError(f"ended with {outcome.code}{why}")
            self._collect(task, asked, record)
        except BaseException as error:
            record.status = "Failed"
            record.reason = str(error) or type(error).__name__
            if isinstance(error, RunnerError):
                shown = "".join(f"\n  | {text}" for text in last)
                raise RunnerError(f"the step {task.name} failed: {error}; log: {record.log}{shown}") from error
            raise
        else:
            record.status = "Succeeded"
        finally:
            record.seconds = round(time.monotonic() - began, 3)
            self._save()
            self._observer.changed(record)

    def _step(self, task: Task, asked: Mapping[str, Any]) -> Step:
        executor = task.executor
        claims, secret_variables = _needs(task, self._place.cluster)
        uses_identity = executor.labels.get(IDENTITY_LABEL) == "true"
        identity = self._place.cluster.identity(self._folder) if uses_identity else Identity()
        run = {
            "$.pipeline_job_uuid": self._record.id,
            "$.pipeline_job_name": self._record.id,
            "$.pipeline_job_resource_name": self._record.id,
            "$.pipeline_task_name": task.name,
            "$.pipeline_job_create_time_utc": self._record.started,
        }
        known = values.placeholders(asked, run)
        command = tuple(values.replaced(each, known, task.name) for each in (*executor.command, *executor.args))
        if not command:
            raise RunnerError("its image has a command of its own, and the pipeline none; this runner needs one")
        return Step(
            task=task.name,
            run=self._record.id,
            image=executor.image,
            command=command,
            environment={**self._place.environment, **executor.environment, **identity.environment, **secret_variables},
            # Outputs have the same path inside and outside, so that a step's own files can name them.
            mounts={**self._place.files, **identity.files, **claims, str(self._outputs): self._outputs},
            cpus=executor.cpus,
            memory=executor.memory,
        )

    @property
    def _outputs(self) -> Path:
        return self._folder / "outputs"

    def _executor_input(self, task: Task) -> dict[str, Any]:
        """Return Kubeflow's description of a task's inputs and outputs, and make the folder of its outputs."""
        folder = self._outputs / task.name
        folder.mkdir(parents=True)
        parameters = {name: self._value(task, name, source) for name, source in task.parameters.items()}
        artifacts = {
            name: {"artifacts": [self._record.task(source.task).artifacts[source.key]]}
            for name, source in task.artifacts.items()
        }
        return {
            "inputs": {"parameterValues": parameters, "artifacts": artifacts},
            "outputs": {
                "parameters": {name: {"outputFile": str(folder / f"{name}.txt")} for name in task.parameter_types},
                "artifacts": {
                    name: {
                        "artifacts": [
                            {"name": name, "uri": str(folder / name), "type": {"schemaTitle": type_}, "metadata": {}}
                        ]
                    }
                    for name, type_ in task.artifact_types.items()
                },
                "outputFile": str(folder / "executor_output.json"),
            },
        }

    def _value(self, task: Task, name: str, source: Source) -> Any:
        if isinstance(source, Constant):
            value = source.value
            if isinstance(value, str):
                run = {"$.pipeline_job_uuid": self._record.id, "$.pipeline_job_name": self._record.id}
                value = values.replaced(value, run, f"{task.name}.{name}")
        elif isinstance(source, PipelineInput):
            value = self._record.parameters[source.name]
        else:
            value = self._record.task(source.task).parameters[source.key]
        try:
            return value if value is None else values.converted(value, task.input_types.get(name, "STRING"))
        except ValueError as error:
            raise RunnerError(f"the parameter {name}: {error}") from error

    def _collect(self, task: Task, asked: Mapping[str, Any], record: TaskRecord) -> None:
        """Read the outputs. Raises RunnerError if one is missing, because Kubeflow fails such a step too."""
        told = self._executor_output(asked["outputs"]["outputFile"])
        for name, type_ in task.parameter_types.items():
            file = Path(asked["outputs"]["parameters"][name]["outputFile"])
            if name in told.get("parameterValues", {}):
                text = values.as_text(told["parameterValues"][name])
            elif file.is_file():
                text = file.read_text("utf-8")
            else:
                raise RunnerError(f"it did not write its output {name}")
            try:
                record.parameters[name] = values.converted(text, type_)
            except ValueError as error:
                raise RunnerError(f"its output {name}: {error}") from error
        for name in task.artifact_types:
            artifact = asked["outputs"]["artifacts"][name]["artifacts"][0]
            for each in told.get("artifacts", {}).get(name, {}).get("artifacts", [])[:1]:
                artifact = {**artifact, **each, "metadata": {**artifact["metadata"], **each.get("metadata", {})}}
            if not Path(artifact["uri"]).exists():
                raise RunnerError(f"it did not write its output {name}")
            record.artifacts[name] = artifact

    def _executor_output(self, path: str) -> dict[str, Any]:
        file = Path(path)
        if not file.is_file():
            return {}
        try:
            content = json.loads(file.read_text("utf-8"))
        except ValueError as error:
            raise RunnerError(f"it wrote an executor_output.json that is not JSON: {error}") from error
        return content if isinstance(content, dict) else {}

    def _save(self) -> None:
        self._record.save(self._folder)
