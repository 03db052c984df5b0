"""Run a sweep: its trials are jobs, a limited number of which run concurrently. The sweep reads their metrics."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, Mapping

from amlite.core.platform import Platform
from amlite.core.processes import Child
from amlite.core.wire import Json
from amlite.services.jobs import command, data, documents, graph, plan, search
from amlite.services.jobs.documents import Job, change
from amlite.services.jobs.kinds import sweep
from amlite.services.jobs.lifecycle import GraphLog, JobFailure, Produced, Work, again, cancel, to_its_end, tracked
from amlite.services.jobs.submission import numbered_child
from amlite.services.machinelearning import references
from amlite.services.mlflow import tracking
from amlite.services.storage import blobs

# The interval at which the metrics of running trials are read for early termination.
_LOOK_SECONDS = 1.0
_API = "/api/2.0/mlflow"
_MOST_TRIALS, _MOST_CONCURRENT = 1000, 100  # Azure ML's own bounds


async def run(platform: Platform, job: Job, produced: Produced, works: Mapping[str, Work]) -> None:
    """Run a sweep's trials. Its outputs are the best trial's. It fails if no trial completes with the metric."""
    job = change(platform, job.id, status="Running")
    log = GraphLog(platform, job)
    if str(job.properties["samplingAlgorithm"]["samplingAlgorithmType"]).lower() == "bayesian":
        await log.say("amlite does not support Bayesian sampling, so it draws parameters at random")
    await _Sweep(platform, job, log, works).run()
    trials = documents.children(platform, again(platform, job))
    values = await _values(platform, job, [trial for trial in trials if trial.status == "Completed"])
    winner = search.best(values, _maximize(job))
    if winner is None:
        raise JobFailure("UserError", _without_result(job, trials))
    await log.say(f"Best: {winner}")
    await _take(platform, job, documents.get(platform, job.workspace_id, winner))
    produced()


class _Sweep:
    """The trials of a running sweep. If `over` is set, no other trial starts."""

    def __init__(self, platform: Platform, job: Job, log: GraphLog, works: Mapping[str, Work]) -> None:
        self._platform, self._job, self._log, self._works = platform, job, log, works
        self._over = False

    async def run(self) -> None:
        """Run every trial that the time limit allows. If this coroutine ends, the trials end too."""
        properties = self._job.properties
        limits = properties.get("limits") or {}
        most = int(limits.get("maxTotalTrials") or _MOST_TRIALS)
        width = min(most, int(limits.get("maxConcurrentTrials") or _MOST_CONCURRENT))
        points = search.points(properties["searchSpace"], properties["samplingAlgorithm"], self._job.name)
        numbered = enumerate(itertools.islice(points, most))
        leaders = [asyncio.create_task(self._lead(numbered), name=f"trials of {self._job.name}") for _ in range(width)]
        watch = asyncio.create_task(self._watch(), name=f"watch {self._job.name}")
        try:
            limit = plan.seconds(limits["timeout"]) if limits.get("timeout") else None
            _, late = await asyncio.wait(leaders, timeout=limit)
            self._over = True
            if late:
                await self._log.say(f"The sweep's time limit of {limits['timeout']} is over")
                for trial in self._running():
                    cancel(self._platform, trial, "the sweep's time limit is over")
                await asyncio.wait(late)
        finally:
            self._over = True
            for task in (*leaders, watch):
                task.cancel()
            await asyncio.gather(*leaders, watch, return_exceptions=True)
        for leader in leaders:
            leader.result()

    async def _lead(self, numbered: Iterator[tuple[int, search.Point]]) -> None:
        """Run one trial after the other until there are no more points."""
        for number, point in numbered:
            trial = _trial(self._platform, self._job, number, point)
            if not trial.ended:
                await self._log.say(f"Trial {trial.name}: {sweep.hyperparameters(point)}")
                await _log_parameters(self._platform, trial, point)
                await to_its_end(self._platform, trial, self._works)
                await self._log.say(f"Trial {trial.name}: {again(self._platform, trial).status}")
            if self._over:
                return

    async def _watch(self) -> None:
        """Apply the early termination policy each time that a trial has logged the metric."""
        if not self._job.properties.get("earlyTermination"):
            return
        hopeless = search.stopping(self._job.properties["earlyTermination"])
        seen: dict[str, int] = {}
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            trials = documents.children(self._platform, again(self._platform, self._job))
            values = await _values(self._platform, self._job, trials)
            for trial in self._running():
                history = values.get(trial.name, [])
                if len(history) > seen.get(trial.name, 0) and hopeless(trial.name, values, _maximize(self._job)):
                    await self._log.say(f"Trial {trial.name}: ended early with {history[-1]}")
                    cancel(self._platform, trial, "ended by the early termination policy")
                seen[trial.name] = len(history)

    def _running(self) -> list[Job]:
        return [trial for trial in documents.children(self._platform, again(self._platform, self._job))
                if not trial.ended]  # fmt: skip


def _trial(platform: Platform, job: Job, number: int, point: search.Point) -> Job:
    """Return the job of a trial. Store it unless an earlier attempt has stored it."""
    properties, trial = job.properties, job.properties["trial"]
    limit = (properties.get("limits") or {}).get("trialTimeout")
    tried = {key: graph.text(value) for key, value in point.items()}
    outputs = {
        output: {key: declared[key] for key in ("jobOutputType", "mode") if key in declared}
        for output, declared in properties["outputs"].items()
        if output != "default"
    }
    return numbered_child(
        platform,
        job,
        number,
        {
            "jobType": "Command",
            **{key: value for key, value in trial.items() if value is not None},
            "command": command.try_parameters(trial["command"], tried),
            "displayName": f"{job.name}_{number}",
            "computeId": properties.get("computeId"),
            "inputs": properties["inputs"],
            "outputs": outputs,
            "tags": {"hyperparameters": sweep.hyperparameters(point)},
            **({"identity": properties["identity"]} if properties.get("identity") else {}),
            **({"limits": {"jobLimitsType": "Command", "timeout": limit}} if limit else {}),
        },
    )


async def _take(platform: Platform, job: Job, best: Job) -> None:
    """Use the best trial's outputs as the sweep's. Without a location in the sweep, they stay in place."""
    outputs = again(platform, job).properties["outputs"]
    for name, declared in outputs.items():
        if name == "default":
            continue
        written = best.properties["outputs"][name]["uri"]
        if declared.get("uri"):
            declared["uri"] = plan.output_uri(job.name, name, declared)
            folder = job.folder(platform) / "outputs" / name
            await blobs.download_tree(platform, references.location(platform, job.workspace_id, written), folder)
            target = references.location(platform, job.workspace_id, declared["uri"])
            await data.require(platform, job.workspace_id, target, data.identity(platform, job), "write")
            await blobs.upload_tree(platform, folder, target)
        else:
            declared["uri"] = written
    properties = {**(job.properties.get("properties") or {}), "best_child_run_id": best.name}
    job = change(platform, job.id, properties={"outputs": outputs, "properties": properties})
    for name in outputs:
        if name != "default":
            data.register(platform, job, name)


async def _values(platform: Platform, job: Job, trials: list[Job]) -> dict[str, list[float]]:
    """Return every value of the objective's metric that each trial has logged, in the order of logging."""
    metric = str(job.properties["objective"]["primaryMetric"])
    server = await _tracking(platform, job)
    found: dict[str, list[float]] = {}
    for trial in trials:
        query = {"run_id": trial.name, "metric_key": metric}
        async with server.http.get(server.url(f"{_API}/metrics/get-history"), params=query) as answer:
            content = await answer.json() if answer.status == 200 else {}
        found[trial.name] = [float(each["value"]) for each in content.get("metrics") or []]
    return found


async def _log_parameters(platform: Platform, trial: Job, point: search.Point) -> None:
    server = await _tracking(platform, trial)
    tracking.start_run(platform, references.workspace(platform, trial.workspace_id).body, tracked(trial))
    body: Json = {"run_id": trial.name, "params": [{"key": key, "value": str(value)} for key, value in point.items()]}
    async with server.http.post(server.url(f"{_API}/runs/log-batch"), json=body) as answer:
        if answer.status != 200:
            raise JobFailure("ServiceError", f"MLflow refuses the trial's parameters: {await answer.text()}")


async def _tracking(platform: Platform, job: Job) -> Child:
    return await tracking.running(platform, references.workspace(platform, job.workspace_id).body)


def _maximize(job: Job) -> bool:
    return str(job.properties["objective"]["goal"]).lower() == "maximize"


def _without_result(job: Job, trials: list[Job]) -> str:
    metric = job.properties["objective"]["primaryMetric"]
    completed = [trial for trial in trials if trial.status == "Completed"]
    if completed:
        return f"No trial logged the metric '{metric}' to MLflow; {len(completed)} completed without it."
    reasons = {str(trial.run.get("error") or trial.run.get("cancel") or {}) for trial in trials}
    return f"None of {len(trials)} trials completed: " + "; ".join(sorted(reasons))
