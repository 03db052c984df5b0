"""Run a pipeline as a graph of jobs."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Mapping

from amlite.core import disk
from amlite.core.platform import Platform
from amlite.services.jobs import controls, documents
from amlite.services.jobs.documents import LEFT_OUT, Job, change
from amlite.services.jobs.graph import CONTROL_TYPES, StepOutput
from amlite.services.jobs.lifecycle import GraphLog, JobFailure, Produced, Work, again, to_its_end, together
from amlite.services.jobs.steps import GIVEN, Step, given, pipeline_job
from amlite.services.jobs.submission import new_child


class _Outcome(enum.Enum):
    """The outcome of a step for those that need it."""

    PRODUCED = enum.auto()
    FAILED = enum.auto()
    BYPASSED = enum.auto()


Ready = dict[str, asyncio.Future[_Outcome]]


async def run(platform: Platform, job: Job, produced: Produced, works: Mapping[str, Work]) -> None:
    """Run a pipeline's steps, each when its inputs exist."""
    change(platform, job.id, status="Running")
    steps = pipeline_job(platform, job.workspace_id, job.properties)
    children = _children(platform, job, steps)
    carry_on = bool((job.properties.get("settings") or {}).get("continue_on_step_failure"))
    ready: Ready = {name: asyncio.get_running_loop().create_future() for name in steps}
    log = GraphLog(platform, job)
    await log.say(f"Running {len(steps)} steps: {', '.join(f'{name}:{children[name].name}' for name in steps)}")
    running = {
        asyncio.create_task(_step(platform, steps[name], children, ready, works), name=f"step {name}"): child
        for name, child in children.items()
    }
    await together(platform, running, log, carry_on=carry_on)
    _bind_outputs(platform, job, steps, children)
    ended = {name: again(platform, child) for name, child in children.items()}
    failed = {name: child for name, child in ended.items() if child.status == "Failed"}
    for child in children.values():
        await asyncio.to_thread(disk.delete, child.folder(platform) / "outputs")
    if failed:
        raise _pipeline_failure(failed)
    canceled = [name for name, child in ended.items() if child.status == "Canceled" and not child.run.get("bypassed")]
    if canceled:
        raise JobFailure("UserError", f"Pipeline has canceled child jobs: {', '.join(canceled)}.")
    produced()


def _pipeline_failure(failed: dict[str, Job]) -> JobFailure:
    reasons = "\n".join(
        f"/{name} (job {child.name}): {(child.run.get('error') or {}).get('message', 'no reason was recorded')}"
        for name, child in failed.items()
    )
    names = ", ".join(f"/{name}" for name in failed)
    return JobFailure(
        "UserError",
        f"Pipeline has failed child jobs. Failed nodes: {names}. For more details and logs, please go to the job "
        f"detail page and check the child jobs.\n{reasons}",
    )


def _children(platform: Platform, job: Job, steps: dict[str, Step]) -> dict[str, Job]:
    """Return the child job of every node. Store those that an earlier attempt has not stored."""
    names: dict[str, str] = dict(job.run.get("children") or {})
    found: dict[str, Job] = {}
    for name, step in steps.items():
        known = documents.find(platform, job.workspace_id, names[name]) if name in names else None
        found[name] = known or new_child(platform, job, step.properties, node=name)
        names[name] = found[name].name
    for child in found.values():
        for group in given(child.properties):
            for value in group.values():
                if value.get("step") in names:
                    value["step"] = names[value["step"]]
        _store_given(platform, child)
    change(platform, job.id, run={"children": names})
    return found


def _store_given(platform: Platform, child: Job) -> None:
    change(platform, child.id, properties={key: child.properties[key] for key in GIVEN if key in child.properties})


async def _step(
    platform: Platform, step: Step, children: Mapping[str, Job], ready: Ready, works: Mapping[str, Work]
) -> None:
    child, mine = children[step.node.name], ready[step.node.name]

    def end(outcome: _Outcome) -> None:
        if not mine.done():
            mine.set_result(outcome)

    try:
        if (now := again(platform, child)).ended:
            if now.status == "Completed":
                end(_Outcome.PRODUCED)
            elif now.run.get("bypassed"):
                end(_Outcome.BYPASSED)
            return
        outcomes = {name: await ready[name] for name in step.node.needs}
        if _Outcome.FAILED in outcomes.values():
            change(platform, child.id, status="Canceled", run={"cancel": "a step that it needs did not complete"})
            return
        bypassed = {name for name, outcome in outcomes.items() if outcome is _Outcome.BYPASSED}
        if why := _excluded(platform, step, children, bypassed):
            change(platform, child.id, status="Canceled", run={"cancel": why, "bypassed": True})
            end(_Outcome.BYPASSED)
            return
        _take_values(platform, child)
        await to_its_end(platform, again(platform, child), works, lambda: end(_Outcome.PRODUCED))
    except JobFailure as failure:
        change(platform, child.id, status="Failed", run={"error": {"code": failure.code, "message": str(failure)}})
    except asyncio.CancelledError:
        if not again(platform, child).run.get("cancel"):
            raise
        change(platform, child.id, status="Canceled")
    finally:
        end(_Outcome.FAILED)


def _excluded(platform: Platform, step: Step, children: Mapping[str, Job], bypassed: set[str]) -> str | None:
    """Return why a step is not run although nothing failed, or None. Raises JobFailure for a condition without value.

    A step does without an optional input from a step that is not run: so it can join the two branches of a condition.
    """
    names = {children[name].name for name in bypassed}
    if condition := step.condition:
        value = condition.value
        if isinstance(value, StepOutput):
            source = children[value.step]
            if source.name in names or _is_left_out(platform, source, value.output):
                return f"step '{value.step}', which decides '{condition.name}', is not run"
            value = controls.truth(platform, source.workspace_id, source.name, value.output)
        if value is not condition.wanted:
            return f"the condition of '{condition.name}' is {str(value).lower()}"
    child = again(platform, children[step.node.name])
    for group in given(child.properties):
        for key, value in [(key, value) for key, value in group.items() if "step" in value]:
            source = documents.get(platform, child.workspace_id, value["step"])
            if source.name not in names and not _is_left_out(platform, source, value["output"]):
                continue
            if not value.get("optional"):
                return f"step '{source.properties['displayName']}' gives nothing to input '{key}'"
            del group[key]
            inner = child.properties.get("body") or child.properties
            if LEFT_OUT in inner:
                inner[LEFT_OUT] = sorted({*inner[LEFT_OUT], key})
    change(platform, child.id, properties=child.properties)
    return None


def _is_left_out(platform: Platform, source: Job, output: str) -> bool:
    """Return whether a step has completed without an output, because a pipeline's condition left out its node."""
    source = again(platform, source)
    declared = source.properties["outputs"].get(output) or {}
    if declared.get("jobOutputType") in CONTROL_TYPES:
        return source.properties["jobType"] == "Pipeline" and output not in controls.values(source)
    return source.properties["jobType"] in ("Pipeline", "DoWhile") and not declared.get("uri")


def _take_values(platform: Platform, child: Job) -> None:
    """Replace the inputs of a step that are control outputs of others by their values. Raises JobFailure."""
    child = again(platform, child)
    for group in given(child.properties):
        for key, value in group.items():
            group[key] = controls.taken(platform, child.workspace_id, value)
    _store_given(platform, child)


def _bind_outputs(platform: Platform, job: Job, steps: dict[str, Step], children: dict[str, Job]) -> None:
    outputs = again(platform, job).properties.get("outputs") or {}
    values = {}
    for name, step in steps.items():
        child = again(platform, children[name])
        for own, target in step.node.outputs.items() if not child.run.get("bypassed") else ():
            written = child.properties["outputs"][own]
            if written.get("uri"):  # a pipeline or sweep that failed has written nothing
                outputs[target] = {"mode": "ReadWriteMount", **(outputs.get(target) or {}), "uri": written["uri"]}
            if own in (known := controls.values(child)):
                values[target] = known[own]
    change(platform, job.id, properties={"outputs": outputs})
    controls.put(platform, job, values)
