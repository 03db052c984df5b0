"""The Databricks Job activity: it runs a job through the workspace's Jobs API, and waits for its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.datafactory import web
from amlite.services.datafactory.web import ActivityError

# The application of Azure Databricks, for which tokens are issued.
AUDIENCE = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"
_FAILED, _REFUSED = "3204", "3200"
_POLL_SECONDS = 2.0


async def run(platform: Platform, factory: Json, linked: Json, given: Json) -> Json:
    """Run a job, whose id and parameters are evaluated, and return the activity's output. Raises ActivityError."""
    domain = str(linked["domain"]).rstrip("/")
    parameters = {str(name): str(value) for name, value in (given.get("jobParameters") or {}).items()}
    body = {"job_id": int(given["jobId"]), **({"job_parameters": parameters} if parameters else {})}
    started = await _call(platform, factory, "POST", f"{domain}/api/2.1/jobs/run-now", body)
    run_id = _whole_number(started.get("run_id"))
    try:
        while True:
            found = await _call(platform, factory, "GET", f"{domain}/api/2.1/jobs/runs/get?run_id={run_id}")
            state = found.get("state")
            if not isinstance(state, dict):
                raise ActivityError(_REFUSED, "Databricks answered without the state of the run.")
            if state.get("life_cycle_state") in ("TERMINATED", "SKIPPED", "INTERNAL_ERROR"):
                break
            await platform.clock.sleep(_POLL_SECONDS)
    except asyncio.CancelledError:
        with contextlib.suppress(ActivityError):
            await _call(platform, factory, "POST", f"{domain}/api/2.1/jobs/runs/cancel", {"run_id": run_id})
        raise
    if state.get("result_state") != "SUCCESS":
        ended_as = state.get("result_state") or state.get("life_cycle_state")
        raise ActivityError(
            _FAILED,
            f"Databricks execution failed with error state: {ended_as}, "
            f"error message: {state.get('state_message')}. For more details please check the run page url: "
            f"{found.get('run_page_url')}",
        )
    return {"runPageUrl": found.get("run_page_url"), "runId": run_id}


def _whole_number(value: Any) -> int:
    if not isinstance(value, int):
        raise ActivityError(_REFUSED, "Databricks answered without the id of the run.")
    return value


async def _call(platform: Platform, factory: Json, method: str, url: str, body: Json | None = None) -> Json:
    headers = {
        "Authorization": f"Bearer {web.token(platform, factory, AUDIENCE)}",
        "Content-Type": "application/json",
    }
    answer = await web.send(platform, method, url, headers=headers, body=None if body is None else json.dumps(body))
    content: Any = None
    with contextlib.suppress(ValueError, RecursionError):
        content = json.loads(answer.text)
    if answer.ok and isinstance(content, dict):
        return content
    said = content.get("message") if isinstance(content, dict) else None
    raise ActivityError(_REFUSED, str(said or f"Databricks answered HTTP {answer.status}: {answer.text}"))
