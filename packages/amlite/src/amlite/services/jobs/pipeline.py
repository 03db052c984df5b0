"""Run a pipeline as a graph of jobs."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping

from amlite.core.platform import Platform
from amlite.services.jobs import documents
from amlite.services.jobs.documents import Job, change
from amlite.services.jobs.lifecycle import GraphLog, JobFailure, Produced, Work, again, request_cancel, to_its_end
from amlite.services.jobs.steps import Step, pipeline_job
from amlite.services.jobs.submission import new_child


async def run(platform: Platform, job: Job, produced: Produced, works: Mapping[str, Work]) -> None:
    """Run a pipeline's steps, each when its inputs exist."""
    change(platform, job.id, status="Running")
    steps = pipeline_job(platform, job.workspace_id, job.properties)
    children = _children(platform, job, steps)
    carry_on = bool((job.properties.get("settings") or {}).get("continue_on_step_failure"))
    ready = {name: asyncio.get_running_loop().create_future() for name in steps}
    log = GraphLog(platform, job)
    await log.say(f"Running {len(steps)} steps: {', '.join(f'{name}:{children[name].name}' for name in steps)}")
    tasks = {
        asyncio.create_task(_step(platform, children[name], steps[name], ready, works), name=f"step {name}"): name
        for name in steps
    }
    pending = set(tasks)
    try:
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            states = {tasks[task]: again(platform, children[tasks[task]]).status for task in done}
            for name, status in states.items():
                await log.say(f"Step {name} ({children[name].name}): {status}")
            if "Failed" in states.values() and not carry_on:
                for task in pending:
                    if not again(platform, children[tasks[task]]).ended:
                        request_cancel(platform, children[tasks[task]], "another step failed")
                        task.cancel()
    except asyncio.CancelledError:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        raise
    _bind_outputs(platform, job, steps, children)
    ended = {name: again(platform, child) for name, child in children.items()}
    failed = {name: child for name, child in ended.items() if child.status == "Failed"}
    for child in children.values():
        await asyncio.to_thread(shutil.rmtree, child.folder(platform) / "outputs", ignore_errors=True)
    if failed:
        raise _pipeline_failure(failed)
    canceled = [name for name, child in ended.items() if child.status == "Canceled"]
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
        inputs = child.properties["inputs"]
        for given in inputs.values():
            if given.get("step") in names:
                given["step"] = names[given["step"]]
        change(platform, child.id, properties={"inputs": inputs})
    change(platform, job.id, run={"children": names})
    return found


async def _step(
    platform: Platform, child: Job, step: Step, ready: dict[str, asyncio.Future[bool]], works: Mapping[str, Work]
) -> None:
    mine = ready[step.node.name]

    def produced() -> None:
        if not mine.done():
            mine.set_result(True)

    try:
        if again(platform, child).ended:
            if again(platform, child).status == "Completed":
                produced()
            return
        if not all([await ready[name] for name in step.node.needs]):
            change(platform, child.id, status="Canceled", run={"cancel": "a step that it needs did not complete"})
            return
        await to_its_end(platform, again(platform, child), works, produced)
    except asyncio.CancelledError:
        if not again(platform, child).run.get("cancel"):
            raise
        change(platform, child.id, status="Canceled")
    finally:
        if not mine.done():
            mine.set_result(False)


def _bind_outputs(platform: Platform, job: Job, steps: dict[str, Step], children: dict[str, Job]) -> None:
    outputs = again(platform, job).properties.get("outputs") or {}
    for name, step in steps.items():
        for own, target in step.node.outputs.items():
            written = again(platform, children[name]).properties["outputs"][own]
            if written.get("uri"):  # a pipeline or sweep that failed has written nothing
                outputs[target] = {"mode": "ReadWriteMount", **(outputs.get(target) or {}), "uri": written["uri"]}
    change(platform, job.id, properties={"outputs": outputs})
