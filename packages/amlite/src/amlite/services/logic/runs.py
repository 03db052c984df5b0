"""Polling by workflows, and their runs.

A workflow polls each time its recurrence is due, one run after the other, and waits for no other workflow. Times that
`amlite advance` jumps over are one poll. A restart of amlite ends a run that is under way, and the next poll starts
another.
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from amlite.core import outgoing
from amlite.core.bodies import parse
from amlite.core.errors import AzureError
from amlite.core.platform import Platform, isolated
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.logic.expressions import Context, ExpressionError, evaluate
from amlite.services.managedidentity import system_assigned

TYPE = "Microsoft.Logic/workflows"
RUN_TYPE = "logic/runs"
_STATE = "logic/state"
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
# The default retry policy: waits in seconds before each new attempt.
_RETRIES = (7, 15, 30, 45)
_PASSING = (408, 429, 500, 502, 503, 504)
# Of all workflows at once. Each ends within the time of `outgoing.send`, and its answer is in memory.
_MOST_REQUESTS = 16
_log = logging.getLogger("amlite.logic")


class RequestError(Exception):
    """A request that cannot be sent, or an answer that cannot be read."""


_FAILURES = (ExpressionError, RequestError, outgoing.UnreachableError, AzureError)


@dataclass
class Polling:
    """`changed` is set after a workflow is created or changed, and after a poll. `requests` bounds those of all.

    `turns` lets one run of a workflow at a time, by its id.
    """

    changed: asyncio.Event = field(default_factory=asyncio.Event)
    requests: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_MOST_REQUESTS))
    turns: dict[str, asyncio.Lock] = field(default_factory=dict)

    def turn(self, workflow_id: str) -> asyncio.Lock:
        """Return the lock of a workflow."""
        return self.turns.setdefault(workflow_id.lower(), asyncio.Lock())


def interval(recurrence: Json) -> float:
    """Return the seconds between two polls. Raises KeyError for an unknown unit."""
    return float(_UNITS[str(recurrence["frequency"]).lower()] * int(recurrence["interval"]))


async def start(platform: Platform) -> None:
    """Start to poll. This continues as long as amlite runs."""
    platform.background(_poll(platform), "polling by workflows")


async def _poll(platform: Platform) -> None:
    polling = platform.part(Polling)
    while True:
        polling.changed.clear()
        pause = 3600.0
        for workflow in list(platform.store.of_type(TYPE)):
            # One that runs sets `changed` at its end.
            if workflow.body["properties"]["state"] != "Enabled" or polling.turn(workflow.id).locked():
                continue
            with isolated(f"workflow {workflow.body['name']}"):
                if _due(platform, workflow) <= platform.clock.timestamp():
                    _remember(platform, workflow)
                    platform.background(fire(platform, workflow), f"workflow {workflow.body['name']}")
                pause = min(pause, _due(platform, workflow) - platform.clock.timestamp())
        await platform.clock.sleep_until(polling.changed, max(pause, 0.0))


def trigger_of(workflow: Document) -> tuple[str, Json]:
    """Return the name and definition of a workflow's trigger."""
    name, trigger = next(iter(workflow.body["properties"]["definition"]["triggers"].items()))
    return str(name), trigger


def _due(platform: Platform, workflow: Document) -> float:
    state = platform.store.get(f"{_STATE}{workflow.id}")
    return float(state.body["polled"]) + interval(trigger_of(workflow)[1]["recurrence"]) if state else 0.0


def _remember(platform: Platform, workflow: Document) -> None:
    platform.store.put(f"{_STATE}{workflow.id}", _STATE, {"polled": platform.clock.timestamp()})


async def fire(platform: Platform, workflow: Document) -> None:
    """Poll once, and run the workflow if the trigger's conditions are met."""
    polling = platform.part(Polling)
    async with polling.turn(workflow.id):
        try:
            await _poll_once(platform, workflow)
        finally:
            polling.changed.set()


async def _poll_once(platform: Platform, workflow: Document) -> None:
    _remember(platform, workflow)
    trigger = trigger_of(workflow)[1]
    context = Context(None, {}, platform.clock.now())
    try:
        status, body = await _request(platform, workflow, trigger["inputs"], context)
        if not 200 <= status < 300 or status == 202:
            if status != 202:
                _log.warning("workflow %s: its trigger got HTTP %s: %s", workflow.body["name"], status, body)
            return
        context = Context(body, {}, context.now)
        if all(evaluate(each["expression"], context) for each in trigger.get("conditions") or []):
            await _run(platform, workflow, context)
    except _FAILURES as error:
        _log.warning("workflow %s: its trigger failed: %s", workflow.body["name"], error)


async def _run(platform: Platform, workflow: Document, context: Context) -> None:
    run_id = uuid.uuid4().hex[:20].upper()
    started = platform.clock.stamp()
    results: dict[str, Json] = {}
    bodies: dict[str, Any] = {}
    for name, action in _ordered(workflow.body["properties"]["definition"]["actions"]):
        wanted: Mapping[str, list[str]] = action.get("runAfter") or {}
        if any(results[each]["status"] not in states for each, states in wanted.items()):
            results[name] = {"status": "Skipped"}
            continue
        inside = Context(context.trigger, bodies, platform.clock.now())
        try:
            status, bodies[name] = await _request(platform, workflow, action["inputs"], inside)
            results[name] = {"status": "Succeeded" if status < 400 else "Failed", "code": status}
            if status >= 400:
                results[name]["error"] = bodies[name]
        except _FAILURES as error:
            results[name] = {"status": "Failed", "error": str(error)}
    handled = {
        each
        for action in workflow.body["properties"]["definition"]["actions"].values()
        for each in action.get("runAfter") or {}
    }
    leaves = [result["status"] for name, result in results.items() if name not in handled]
    failed = any(status == "Failed" for status in leaves) or all(status == "Skipped" for status in leaves)
    if platform.store.get(workflow.id) is None:
        return  # deleted while it ran, and its runs with it
    body = {
        "id": f"{workflow.id}/runs/{run_id}",
        "name": run_id,
        "type": f"{TYPE}/runs",
        "properties": {
            "startTime": started,
            "endTime": platform.clock.stamp(),
            "status": "Failed" if failed else "Succeeded",
            "workflow": {"id": workflow.id},
            "actions": results,
        },
    }
    platform.store.put(f"{RUN_TYPE}{workflow.id}/{run_id}", RUN_TYPE, body)


def _ordered(actions: Json) -> list[tuple[str, Json]]:
    """Return the actions, each after those that it runs after."""
    done: dict[str, Json] = {}
    while len(done) < len(actions):
        ready = [(n, a) for n, a in actions.items() if n not in done and set(a.get("runAfter") or {}) <= done.keys()]
        if not ready:
            raise ExpressionError("the actions run after each other in a circle")
        done.update(ready)
    return list(done.items())


async def _request(platform: Platform, workflow: Document, inputs: Json, context: Context) -> tuple[int, Any]:
    """Send an Http trigger's or action's request, again if it fails in passing. Return the status and the body."""
    given = evaluate(inputs, context)
    headers = {str(key): str(value) for key, value in (given.get("headers") or {}).items()}
    if authentication := given.get("authentication"):
        token = system_assigned.token(platform, workflow.body, str(authentication["audience"]))
        headers["Authorization"] = f"Bearer {token}"
    if not isinstance(given["uri"], str):
        raise RequestError(f"the uri is no text: {str(given['uri'])[:100]}")
    body = given.get("body")
    if body is not None and not isinstance(body, str):
        headers.setdefault("Content-Type", "application/json")
    text = body if isinstance(body, str) or body is None else json.dumps(body)
    for pause in (*_RETRIES, None):
        async with platform.part(Polling).requests:
            answer = await outgoing.send(platform, given["method"], given["uri"], headers=headers, body=text)
        if answer.status not in _PASSING or pause is None:
            break
        await platform.clock.sleep(pause)
    if "json" not in answer.headers.get("Content-Type", "") or not answer.text:
        return answer.status, answer.text
    try:
        return answer.status, parse(answer.text.encode())
    except ValueError as error:
        raise RequestError(f"the answer is not the JSON that it announces: {error}") from error


def runs_of(platform: Platform, workflow_id: str) -> list[Json]:
    """Return the runs of a workflow, the latest first."""
    return [document.body for document in reversed(platform.store.below(f"{RUN_TYPE}{workflow_id}", RUN_TYPE))]


def forget(platform: Platform, workflow_id: str) -> None:
    """Forget the polls and runs of a workflow that is deleted."""
    platform.part(Polling).turns.pop(workflow_id.lower(), None)
    platform.store.delete(f"{_STATE}{workflow_id}")
    platform.store.delete(f"{RUN_TYPE}{workflow_id}")
