"""Run an AutoML job: one program searches on a node, and its trials become child runs as it reports them.

The names of the tags and properties are the service's, read from runs that people have published.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amlite.core import contained
from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.jobs import automl_task, documents, explanation, node, plan
from amlite.services.jobs.documents import Job, change
from amlite.services.jobs.kinds import automl
from amlite.services.jobs.lifecycle import Produced, Work, again, artifacts, tracked
from amlite.services.jobs.submission import numbered_child
from amlite.services.machinelearning import references
from amlite.services.mlflow import tracking
from amlite.services.storage import blobs

# The interval at which the search's reports are read.
_LOOK_SECONDS = 0.5
_STATUS = {"completed": "Completed", "failed": "Failed", "canceled": "Canceled"}
_ENSEMBLES = ("VotingEnsemble", "StackEnsemble")


async def run(platform: Platform, job: Job, produced: Produced, works: Mapping[str, Work]) -> None:
    """Run the search on a node. Afterwards, every trial that it started has ended too."""
    compute = job.properties.get("computeId")
    document = platform.store.get(compute) if compute else None
    change(platform, job.id, run={"nodes": nodes(document.body if document else None, job.properties)})
    reports = _Reports(platform, job)
    over = asyncio.Event()
    following = asyncio.create_task(reports.follow(over), name=f"trials of {job.name}")
    try:
        await node.run(platform, job, produced, works)
    finally:
        over.set()
        await following
        reports.close()


def nodes(compute: Json | None, properties: Json) -> int:
    """Return the nodes of a search: those that its compute can have, or those that a serverless job asks for."""
    return plan.instance_count(properties.get("resources")) if compute is None else plan.most_nodes(compute)


@dataclass
class _Reports:
    """What a search has reported so far: the trials that completed, in the order of their numbers."""

    platform: Platform
    job: Job
    position: int = 0
    completed: dict[int, Json] = field(default_factory=dict)

    async def follow(self, over: asyncio.Event) -> None:
        """Read the reports as they are written, until the search is over."""
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), _LOOK_SECONDS)
            await self.read()
        # What came while the last reports were read.
        await self.read()

    async def read(self) -> None:
        """Turn every new report into the state of a child run."""
        path = automl.reports(self.job.folder(self.platform))
        lines = await asyncio.to_thread(_lines, path, self.job.folder(self.platform), self.position)
        for line in lines:
            self.position += len(line)
            event: Json = json.loads(line)
            if event["event"] == "started":
                self._start(event)
            elif event["event"] == "best":
                await self._take(event)
            else:
                await self._end(event)

    def close(self) -> None:
        """End the trials that were running when the search itself ended."""
        for trial in documents.children(self.platform, again(self.platform, self.job)):
            if not trial.ended:
                change(self.platform, trial.id, status="Canceled", run={"cancel": "the search ended"})
                tracking.end_run(self.platform, self._workspace(), trial.name, "Canceled")

    def _trial(self, number: int) -> Job:
        names = again(self.platform, self.job).run["children"]
        return documents.get(self.platform, self.job.workspace_id, names[str(number)])

    def _workspace(self) -> Json:
        return references.workspace(self.platform, self.job.workspace_id).body

    def _start(self, event: Json) -> None:
        number, job = int(event["number"]), again(self.platform, self.job)
        trial = numbered_child(
            self.platform,
            job,
            number,
            {
                "jobType": "Command",
                "command": f"automl trial {number}: {event['algorithm']}",
                "displayName": f"{job.name}_{number}",
                "computeId": job.properties.get("computeId"),
                "inputs": {},
                "outputs": {},
            },
        )
        change(self.platform, trial.id, status="Running", properties={"properties": _described(job, event)})
        tracking.start_run(self.platform, self._workspace(), tracked(trial))

    async def _end(self, event: Json) -> None:
        number = int(event["number"])
        trial = self._trial(number)
        status, error, ending = _STATUS[event["event"]], None, {}
        if status == "Completed":
            described = {**trial.properties["properties"], "score": repr(event["score"]),
                         "fit_time": f"{event['seconds']:.6f}"}  # fmt: skip
            self.completed[number] = {**event, **described}
            folder = self.job.folder(self.platform)
            source = automl.artifacts(folder) / str(number)
            await blobs.upload_tree(self.platform, source, artifacts(self.platform, trial), within=folder)
            await self._log(trial.name, event["metrics"])
            change(self.platform, trial.id, properties={"properties": described})
        elif status == "Failed":
            error = {"code": "UserError", "message": event["error"]}
        else:
            ending = {"cancel": event["error"]}
        change(self.platform, trial.id, status=status, run={"error": error, **ending})
        tracking.end_run(self.platform, self._workspace(), trial.name, status)

    async def _take(self, event: Json) -> None:
        """Record the best trial: its metrics are the job's, and tags of the job name it."""
        best = self._trial(int(event["number"]))
        name = best.name
        if importance := event.get("importance"):
            explained = explanation.files(hashlib.sha256(name.encode()).hexdigest(), importance)
            for path, content in explained.items():
                await blobs.write(self.platform, artifacts(self.platform, best) / path, content)
        metrics = dict(self.completed[int(event["number"])]["metrics"])
        tested = {f"test_{metric}": value for metric, value in (event.get("test") or {}).items()}
        await self._log(self.job.name, {**metrics, **tested})
        job = again(self.platform, self.job)
        tagged = {"model_explain_run": "best_run"} if importance else {}
        leaders = {
            key: ";".join(str(trial[field]) for _, trial in sorted(self.completed.items()))
            for key, field in _LEADERBOARD.items()
        }
        tags = {**(job.properties.get("tags") or {}), **leaders, **tagged, "automl_best_child_run_id": name}
        properties = {
            **(job.properties.get("properties") or {}),
            "runTemplate": "AutoML",
            "num_iterations": str(len(job.run.get("children") or {})),
            "primary_metric": automl_task.metric(job.properties["taskDetails"]),
        }
        change(self.platform, job.id, properties={"tags": tags, "properties": properties})

    async def _log(self, run: str, metrics: Mapping[str, float]) -> None:
        server = await tracking.running(self.platform, self._workspace())
        now = int(self.platform.clock.timestamp() * 1000)
        rows = [{"key": key, "value": value, "timestamp": now, "step": 0} for key, value in metrics.items()]
        address = server.url("/api/2.0/mlflow/runs/log-batch")
        async with server.http.post(address, json={"run_id": run, "metrics": rows}) as answer:
            answer.raise_for_status()


_LEADERBOARD = {
    "iteration_000": "iteration",
    "run_algorithm_000": "run_algorithm",
    "run_preprocessor_000": "run_preprocessor",
    "pipeline_id_000": "pipeline_id",
    "score_000": "score",
    "fit_time_000": "fit_time",
    "training_percent_000": "training_percent",
}


def _described(job: Job, event: Json) -> Json:
    """Return the properties of a trial's run."""
    ensemble = event["algorithm"] in _ENSEMBLES
    spec: dict[str, Any] = {name: event[name] for name in ("algorithm", "preprocessor", "parameters")}
    text = json.dumps(spec, sort_keys=True)
    identity = f"__AutoML_{'Stack_' * (event['algorithm'] == _ENSEMBLES[1])}Ensemble__"
    return {
        "runTemplate": "automl_child",
        "run_template": "automl_child",
        "iteration": str(event["number"]),
        "run_algorithm": event["algorithm"],
        "run_preprocessor": event["preprocessor"],
        "pipeline_id": identity if ensemble else hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(),
        "pipeline_spec": text,
        "primary_metric": automl_task.metric(job.properties["taskDetails"]),
        "training_percent": "100",
    }


def _lines(path: Path, within: Path, position: int) -> list[bytes]:
    """Return the whole lines of a file after a position; none if it does not exist."""
    if not path.exists():
        return []
    with contained.opened(path, within) as file:
        file.seek(position)
        return [line for line in file.readlines() if line.endswith(b"\n")]
