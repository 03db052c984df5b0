"""The run of a pipeline: its activities in their order, with their dependencies, retries and timeouts.

A restart of amlite ends runs that are under way, as failed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from amlite.core.clock import LateError
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.published import fields
from amlite.core.wire import Json
from amlite.services.datafactory import databricks_job, expressions, runs, web
from amlite.services.datafactory.definition import COMPLETED, FAILED, KINDS, SKIPPED, SUCCEEDED, span
from amlite.services.datafactory.expressions import Context, ExpressionError
from amlite.services.datafactory.web import ActivityError

_WEEK = "7.00:00:00"
_EXPRESSION_FAILED = "2001"
# What the properties of an activity must be when their expressions are evaluated.
_EVALUATED = {
    "authentication": "map:any",
    "headers": "map:any",
    "httpRequestTimeout": "str",
    "jobId": "int",
    "jobParameters": "map:any",
    "method": "str",
    "url": "str",
    "waitTimeInSeconds": "int",
}
_TIMED_OUT = "2500"
_INNER_FAILED = "BadRequest"
# The errors of "Troubleshoot Azure Data Factory" with the limits of "Azure Data Factory limits".
_TOO_MUCH_INPUT, _MOST_INPUT = "2002", 896 << 10
_TOO_MUCH_OUTPUT, _MOST_OUTPUT = "2001", 4 << 20
_MOST_QUEUED = 100
# What one run may take of this machine, and how many runs a factory may have at the same time. A run on Azure has no
# such limits but its time and its price.
_MOST_TURNS = 20_000
_MOST_RECORDED = 32 << 20
_MOST_EVALUATING_SECONDS = 30.0
_MOST_RUNS = 1000


class RunLimitError(Exception):
    """A run takes more of this machine than one may. The message says what."""


@dataclass
class Outcome:
    """The end of an activity."""

    status: str
    output: Json = field(default_factory=dict)
    error: Json = field(default_factory=dict)


@dataclass
class Execution:
    """A pipeline run under way."""

    platform: Platform
    factory: Json
    pipeline: Json
    run: Json
    trigger: Json
    variables: dict[str, Any] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    turns: int = 0
    recorded: int = 0
    evaluating: float = 0.0

    async def perform(self) -> tuple[str, str]:
        """Run the pipeline. Return its status and its message."""
        defaults = {"array": [], "boolean": False, "string": ""}
        for name, given in (self.pipeline["properties"].get("variables") or {}).items():
            self.variables[name] = given.get("defaultValue", defaults[str(given["type"]).lower()])
        failed = await self._all(self.pipeline["properties"].get("activities") or [])
        if failed is None:
            return SUCCEEDED, ""
        return FAILED, f"Operation on target {failed} failed: {self.outcomes[failed].error.get('message')}"

    async def _all(self, activities: list[Json]) -> str | None:
        """Run activities that are beside each other. Return the name of one whose failure counts, or None."""
        waiting = {activity["name"]: activity for activity in activities}
        running: dict[asyncio.Task[Outcome], str] = {}
        for name in waiting:
            self.outcomes.pop(name, None)  # of an earlier turn of a loop
        try:
            while waiting or running:
                skipped = False
                for name, activity in list(waiting.items()):
                    ready = self._ready(activity)
                    if ready is None:
                        continue
                    del waiting[name]
                    if ready:
                        running[asyncio.create_task(self._activity(activity))] = name
                    else:
                        self.outcomes[name] = Outcome(SKIPPED)
                        skipped = True
                if running and not skipped:
                    for task in (await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED))[0]:
                        self.outcomes[running.pop(task)] = task.result()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        return self._failure(activities)

    def _ready(self, activity: Json) -> bool | None:
        """Whether an activity runs, or is skipped. None if an earlier one has not ended."""
        for before in activity.get("dependsOn") or []:
            if (outcome := self.outcomes.get(before["activity"])) is None:
                return None
            conditions = before["dependencyConditions"]
            ended = outcome.status in (SUCCEEDED, FAILED)
            if outcome.status not in conditions and not (COMPLETED in conditions and ended):
                return False
        return True

    def _failure(self, activities: list[Json]) -> str | None:
        """Return the activity that makes the whole fail: a failed last one, or one before skipped last ones."""
        every = {activity["name"]: activity for activity in activities}
        before = {name: [each["activity"] for each in one.get("dependsOn") or []] for name, one in every.items()}
        inner = {name for names in before.values() for name in names}
        counted: list[str] = [name for name in every if name not in inner]
        for name in counted:  # grows
            status = self.outcomes[name].status
            if status == FAILED:
                return name
            if status == SKIPPED:
                counted += [each for each in before[name] if each not in counted]
        return None

    async def _activity(self, activity: Json) -> Outcome:
        policy = activity.get("policy") or {}
        attempts = int(policy.get("retry", 0)) + 1
        for attempt in range(1, attempts + 1):
            outcome = await self._attempt(activity, attempt)
            if outcome.status == SUCCEEDED or attempt == attempts:
                break
            await self.platform.clock.sleep(float(policy.get("retryIntervalInSeconds", 30)))
        return outcome

    async def _attempt(self, activity: Json, attempt: int) -> Outcome:
        self._count()
        policy = activity.get("policy") or {}
        record: Json = {
            "activityRunId": str(uuid.uuid4()),
            "activityName": activity["name"],
            "activityType": activity["type"],
            "pipelineName": self.run["pipelineName"],
            "pipelineRunId": self.run["runId"],
            "linkedServiceName": (activity.get("linkedServiceName") or {}).get("referenceName", ""),
            "activityRunStart": self.platform.clock.stamp(),
            "activityRunEnd": None,
            "durationInMs": None,
            "retryAttempt": attempt - 1 or None,
            "status": "InProgress",
            "input": {},
            "output": {},
            "error": {},
        }
        runs.put_activity(self.platform, self.factory["id"], record)
        outcome = Outcome("Cancelled")
        try:
            outcome = await self._bounded(activity, record, span(policy.get("timeout", _WEEK)))
        except ActivityError as error:
            outcome = _failed(error.code, error.message, activity["name"])
        except ExpressionError as error:
            outcome = _failed(_EXPRESSION_FAILED, _sentence(str(error)), activity["name"])
        finally:
            end = self.platform.clock.stamp()
            record.update(status=outcome.status, output=outcome.output, error=outcome.error, activityRunEnd=end)
            record["durationInMs"] = runs.milliseconds(record["activityRunStart"], end)
            for name, secret in (("input", "secureInput"), ("output", "secureOutput")):
                record[name] = {} if policy.get(secret) else record[name]
            runs.put_activity(self.platform, self.factory["id"], record)
        self._record(outcome.error)
        return outcome

    async def _bounded(self, activity: Json, record: Json, seconds: float) -> Outcome:
        """Run an activity for at most some seconds of amlite's clock."""
        work = _KINDS[activity["type"]](self, activity, record)
        try:
            output = await self.platform.clock.within(seconds, work)
            if self._record(output) > _MOST_OUTPUT:
                raise ActivityError(
                    _TOO_MUCH_OUTPUT, "The length of execution output is over limit (around 4MB currently)."
                )
            return Outcome(SUCCEEDED, output)
        except LateError:
            raise ActivityError(
                _TIMED_OUT, f"The activity '{activity['name']}' did not end within its timeout."
            ) from None

    def _count(self) -> None:
        """Count an activity run or a turn of a loop. Raises RunLimitError."""
        self.turns += 1
        if self.turns > _MOST_TURNS:
            raise RunLimitError(f"The run has more than {_MOST_TURNS} activity runs and turns of loops.")

    def _record(self, value: Json) -> int:
        """Return the bytes of an input or output, which are counted. Raises RunLimitError."""
        size = len(json.dumps(value).encode())
        self.recorded += size
        if self.recorded > _MOST_RECORDED:
            raise RunLimitError(f"The inputs and outputs of the run have more than {_MOST_RECORDED >> 20} MB.")
        return size

    def _input(self, record: Json, given: Json) -> None:
        """Show what an activity gets. Raises ActivityError if it is more than one may get."""
        if self._record(given) > _MOST_INPUT:
            raise ActivityError(
                _TOO_MUCH_INPUT,
                "The payload including configurations on activity/dataSet/linked service is too large. Please check if "
                "you have settings with very large value and try to reduce its size.",
            )
        record["input"] = given

    def value(self, value: Any) -> Any:
        """Return a value with its expressions evaluated. Raises ExpressionError and RunLimitError."""
        found = {
            name: {"Status": each.status, "output": each.output, "error": each.error}
            for name, each in self.outcomes.items()
            if each.status != SKIPPED
        }
        pipeline = {
            "DataFactory": self.factory["name"],
            "Pipeline": self.run["pipelineName"],
            "RunId": self.run["runId"],
            "TriggerType": self.run["invokedBy"]["invokedByType"],
            "TriggerId": self.run["invokedBy"]["id"],
            "TriggerName": self.run["invokedBy"]["name"],
            "TriggerTime": self.trigger.get("startTime") or self.run["runStart"],
            "parameters": self.run["parameters"],
        }
        context = Context(pipeline, self.trigger, None, found, self.variables, self.platform.clock.now())
        began = time.monotonic()
        try:
            return expressions.evaluate(value, context)
        finally:
            self.evaluating += time.monotonic() - began
            if self.evaluating > _MOST_EVALUATING_SECONDS:
                raise RunLimitError(
                    f"The expressions of the run took more than {_MOST_EVALUATING_SECONDS:g} seconds together."
                )

    def _properties(self, activity: Json) -> Json:
        """Return the properties of an activity with their expressions evaluated. Raises ExpressionError."""
        try:
            given = fields(self.value(activity["typeProperties"]), _EVALUATED)
            span(given.get("httpRequestTimeout", _WEEK))
        except (AzureError, ValueError) as error:
            told = error.message if isinstance(error, AzureError) else str(error)
            raise ExpressionError(f"the properties of '{activity['name']}': {told}") from error
        for name in KINDS[activity["type"]].required:
            if name not in given:
                raise ExpressionError(f"the expression of '{activity['name']}' for {name} is null")
        return given

    async def _web(self, activity: Json, record: Json) -> Json:
        given = self._properties(activity)
        self._input(record, given)
        return await web.request(self.platform, self.factory, given)

    async def _databricks_job(self, activity: Json, record: Json) -> Json:
        given = self._properties(activity)
        self._input(record, given)
        name = activity["linkedServiceName"]["referenceName"]
        linked = self.platform.store.get(f"{self.factory['id']}/linkedservices/{name}")
        if linked is None:
            raise ActivityError("3200", f"The linked service '{name}' was not found.")
        return await databricks_job.run(
            self.platform, self.factory, self.value(linked.body["properties"]["typeProperties"]), given
        )

    async def _wait(self, activity: Json, record: Json) -> Json:
        seconds = int(self._properties(activity)["waitTimeInSeconds"])
        self._input(record, {"waitTimeInSeconds": seconds})
        await self.platform.clock.sleep(seconds)
        return {}

    async def _set_variable(self, activity: Json, record: Json) -> Json:
        name, value = activity["typeProperties"]["variableName"], self.value(activity["typeProperties"]["value"])
        self._input(record, {"variableName": name, "value": value})
        self.variables[name] = value
        return {"name": name, "value": value}

    async def _fail(self, activity: Json, record: Json) -> Json:
        given = self._properties(activity)
        self._input(record, given)
        raise ActivityError(str(given["errorCode"]), str(given["message"]))

    async def _if(self, activity: Json, record: Json) -> Json:
        condition = self._condition(activity)
        self._input(record, {"expression": condition})
        chosen = activity["typeProperties"].get("ifTrueActivities" if condition else "ifFalseActivities") or []
        self._require(await self._all(chosen))
        return {}

    async def _until(self, activity: Json, record: Json) -> Json:
        given = activity["typeProperties"]
        limit = self.platform.clock.timestamp() + span(given.get("timeout", _WEEK))
        while True:
            left = limit - self.platform.clock.timestamp()
            try:
                turn = await self.platform.clock.within(left, self._all(given["activities"]))
            except LateError:
                raise ActivityError(
                    _TIMED_OUT, f"The activity '{activity['name']}' did not end within its timeout."
                ) from None
            self._count()
            # A failure inside does not end the loop. The turn that ends it decides whether the activity fails.
            if self._condition(activity):
                self._require(turn)
                return {}

    def _condition(self, activity: Json) -> bool:
        value = self.value(activity["typeProperties"]["expression"])
        if not isinstance(value, bool):
            raise ExpressionError(f"the expression of '{activity['name']}' is {value!r}, not true or false")
        return value

    def _require(self, failed: str | None) -> None:
        if failed is not None:
            said = self.outcomes[failed].error.get("message")
            raise ActivityError(
                _INNER_FAILED,
                f"Activity failed because an inner activity failed; Inner activity name: {failed}, Error: {said}",
            )


_KINDS: dict[str, Callable[[Execution, Json, Json], Awaitable[Json]]] = {
    "DatabricksJob": Execution._databricks_job,
    "Fail": Execution._fail,
    "IfCondition": Execution._if,
    "SetVariable": Execution._set_variable,
    "Until": Execution._until,
    "Wait": Execution._wait,
    "WebActivity": Execution._web,
}


@dataclass
class _UnderWay:
    """A run that has not ended."""

    factory: str
    pipeline: str
    task: asyncio.Task[None]
    queued: bool = True


@dataclass
class Running:
    """The runs under way, by their ids, and what wakes queued ones."""

    runs: dict[str, _UnderWay] = field(default_factory=dict)
    ended: asyncio.Condition = field(default_factory=asyncio.Condition)

    def of(self, factory: str, pipeline: str | None = None) -> list[_UnderWay]:
        """Return the runs under way of a factory, or only those of one of its pipelines."""
        return [
            each
            for each in self.runs.values()
            if each.factory == factory.lower() and (pipeline is None or each.pipeline == pipeline.lower())
        ]


def begin(platform: Platform, factory: Json, pipeline: Json, parameters: Json, invoked_by: Json, trigger: Json) -> str:
    """Start a run, and return its id. AzureError 429 if too many are under way or wait."""
    running, name = platform.part(Running), pipeline["name"]
    if len(running.of(factory["id"])) >= _MOST_RUNS:
        raise _too_many(f"The factory '{factory['name']}' has {_MOST_RUNS} runs under way")
    if sum(each.queued for each in running.of(factory["id"], name)) >= _MOST_QUEUED:
        raise _too_many(f"The pipeline '{name}' has {_MOST_QUEUED} queued runs")
    now, run_id = platform.clock.stamp(), str(uuid.uuid4())
    run = {
        "runId": run_id,
        "runGroupId": run_id,
        "isLatest": True,
        "pipelineName": name,
        "parameters": parameters,
        "runDimensions": {},
        "invokedBy": invoked_by,
        "runStart": now,
        "runEnd": None,
        "durationInMs": None,
        "status": "Queued",
        "message": "",
    }
    runs.put(platform, factory["id"], run)
    execution = Execution(platform, factory, pipeline, run, trigger)
    task = platform.background(_run(execution), f"pipeline run {run_id}")
    running.runs[run_id] = _UnderWay(factory["id"].lower(), name.lower(), task)
    return run_id


def _too_many(what: str) -> AzureError:
    return AzureError(429, "TooManyRequests", f"{what}, which is the most it may have. Wait until some of them end.")


async def _run(execution: Execution) -> None:
    platform, factory, run = execution.platform, execution.factory, execution.run
    running = platform.part(Running)
    status, message = "Cancelled", ""
    try:
        async with running.ended:
            await running.ended.wait_for(lambda: _has_room(execution))
            running.runs[run["runId"]].queued = False
            runs.put(platform, factory["id"], run, status="InProgress", runStart=platform.clock.stamp())
        status, message = await execution.perform()
    except RunLimitError as error:
        status, message = FAILED, str(error)
    finally:
        running.runs.pop(run["runId"], None)
        end = platform.clock.stamp()
        if platform.store.get(factory["id"]) is not None:
            elapsed = runs.milliseconds(run["runStart"], end)
            runs.put(platform, factory["id"], run, status=status, message=message, runEnd=end, durationInMs=elapsed)
        async with running.ended:
            running.ended.notify_all()


def _has_room(execution: Execution) -> bool:
    limit = execution.pipeline["properties"].get("concurrency")
    if limit is None:
        return True
    under_way = execution.platform.part(Running).of(execution.factory["id"], execution.pipeline["name"])
    return sum(not each.queued for each in under_way) < int(limit)


async def cancel(platform: Platform, run_id: str) -> None:
    """End a run, if it is under way."""
    if (run := platform.part(Running).runs.get(run_id)) is not None:
        run.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await run.task


def end_interrupted(platform: Platform) -> None:
    """Let the runs fail that an earlier process of amlite did not finish."""
    said = "amlite stopped while this was under way."
    for kind in (runs.PIPELINE_RUN, runs.ACTIVITY_RUN):
        for document in list(platform.store.of_type(kind)):
            if document.body["status"] in runs.UNFINISHED:
                end = platform.clock.stamp()
                changed = (
                    {"message": said, "runEnd": end, "lastUpdated": end}
                    if kind == runs.PIPELINE_RUN
                    else {"error": {"message": said}, "activityRunEnd": end}
                )
                platform.store.put(document.id, kind, {**document.body, **changed, "status": FAILED})


def _failed(code: str, message: str, target: str) -> Outcome:
    error = {"errorCode": code, "message": message, "failureType": "UserError", "target": target, "details": []}
    return Outcome(FAILED, {}, error)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
