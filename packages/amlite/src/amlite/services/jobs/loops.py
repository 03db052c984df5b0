"""Run the loops of a pipeline: a body one time after the other, or for several items at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import yaml

from amlite.core import disk
from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.jobs import controls, data, documents, graph, plan, steps
from amlite.services.jobs.documents import LEFT_OUT, Job, change
from amlite.services.jobs.lifecycle import GraphLog, JobFailure, Produced, Work, again, to_its_end, together
from amlite.services.jobs.submission import numbered_child
from amlite.services.machinelearning import references


async def repeat(platform: Platform, job: Job, produced: Produced, works: Mapping[str, Work]) -> None:
    """Run a `do_while`: its body, until its condition is false or the limit is reached. Its outputs are the last ones.

    A time after the first takes the outputs of the one before, as the mapping says.
    """
    job = change(platform, job.id, status="Running")
    log, properties = GraphLog(platform, job), job.properties
    inputs = properties["inputs"]
    for number in range(properties["most"]):
        last = _iteration(platform, job, number, inputs)
        await log.say(f"Iteration {number}: {last.name}")
        if not last.ended:
            await to_its_end(platform, last, works)
        last = again(platform, last)
        await log.say(f"Iteration {number}: {last.status}")
        if again(platform, job).run.get("cancel"):
            raise asyncio.CancelledError
        if last.status != "Completed":
            raise _failure(platform, [last])
        if properties["condition"] and not controls.truth(
            platform, job.workspace_id, last.name, properties["condition"]
        ):
            await log.say(f"The output '{properties['condition']}' is false")
            break
        inputs = {
            **inputs,
            **{name: controls.taken(platform, job.workspace_id, {**source, "step": last.name})
               for name, source in properties["mapping"].items()},
        }  # fmt: skip
    else:
        await log.say(f"The limit of {properties['most']} iterations is reached")
    _take(platform, job, last)
    produced()
    await _tidy(platform, job)


async def each(platform: Platform, job: Job, produced: Produced, works: Mapping[str, Work]) -> None:
    """Run a `parallel_for`: its body once for each item. Its outputs are tables with those of all iterations."""
    job = change(platform, job.id, status="Running")
    log, properties = GraphLog(platform, job), job.properties
    items = properties.get("items") or steps.items(platform, job.workspace_id, properties)
    iterations = [_iteration(platform, job, number, inputs) for number, inputs in enumerate(items)]
    width = asyncio.Semaphore(properties["width"] or len(iterations))

    async def run(child: Job) -> None:
        try:
            async with width:
                if not again(platform, child).ended:
                    await to_its_end(platform, again(platform, child), works)
        except asyncio.CancelledError:
            if not again(platform, child).run.get("cancel"):
                raise
            change(platform, child.id, status="Canceled")

    await log.say(f"Running {len(iterations)} iterations, at most {properties['width'] or len(iterations)} at once")
    carry_on = bool(properties["settings"].get("continue_on_step_failure"))
    running = {asyncio.create_task(run(child), name=f"iteration {child.name}"): child for child in iterations}
    await together(platform, running, log, carry_on=carry_on)
    ended = [again(platform, child) for child in iterations]
    if missing := [child for child in ended if child.status != "Completed"]:
        raise _failure(platform, missing)
    for name, declared in properties["outputs"].items():
        if name != "default" and declared["jobOutputType"] == "mltable":
            await _collect(platform, job, name, ended)
    produced()
    await _tidy(platform, job)


def _iteration(platform: Platform, job: Job, number: int, inputs: Json) -> Job:
    """Return the job of an iteration. Store it unless an earlier attempt has stored it."""
    properties = job.properties["body"]
    title = f"{job.properties['displayName']}_{number}"
    left_out = (
        {LEFT_OUT: [each for each in properties[LEFT_OUT] if each not in inputs]} if LEFT_OUT in properties else {}
    )
    outputs = {
        key: {setting: value for setting, value in declared.items() if setting not in ("assetName", "assetVersion")}
        for key, declared in properties["outputs"].items()
    }
    child = {**properties, **left_out, "displayName": title, "inputs": inputs, "outputs": outputs}
    return numbered_child(platform, job, number, child, node=title)


def _failure(platform: Platform, missing: list[Job]) -> JobFailure:
    """Return the failure of a loop: the iterations that failed, or else those that were canceled."""
    failed = [child for child in missing if child.status == "Failed"]
    reasons = "\n".join(
        f"{child.properties['displayName']} (job {child.name}): "
        f"{(child.run.get('error') or {}).get('message') or child.run.get('cancel') or 'no reason was recorded'}"
        for child in failed or missing
    )
    return JobFailure("UserError", f"The loop has {'failed' if failed else 'canceled'} iterations.\n{reasons}")


def _take(platform: Platform, job: Job, last: Job) -> None:
    """Use the outputs of a loop's last iteration as the loop's own."""
    outputs = again(platform, job).properties["outputs"]
    written = [name for name in outputs if name != "default" and last.properties["outputs"][name].get("uri")]
    for name in written:
        outputs[name]["uri"] = last.properties["outputs"][name]["uri"]
    job = change(platform, job.id, properties={"outputs": outputs})
    controls.put(platform, job, {name: value for name, value in controls.values(last).items() if name in outputs})
    for name in written:
        if outputs[name]["jobOutputType"] not in graph.CONTROL_TYPES:
            data.register(platform, job, name)


async def _collect(platform: Platform, job: Job, output: str, iterations: list[Job]) -> None:
    """Write an output of `parallel_for`: a table whose paths are those of the iterations, in the order of the items.

    An iteration is left out if it is a pipeline whose condition left out the node that writes the output.
    """
    paths = []
    for written in (child.properties["outputs"][output] for child in iterations):
        if not written.get("uri"):
            continue
        kind = "file" if written["jobOutputType"] in graph.FILE_TYPES else "folder"
        paths.append({kind: references.long_uri(job.workspace_id, written["uri"])})
    outputs = again(platform, job).properties["outputs"]
    declared = outputs[output]
    declared["uri"] = plan.output_uri(job.name, output, declared)
    job = change(platform, job.id, properties={"outputs": outputs})
    target = references.location(platform, job.workspace_id, declared["uri"])
    await data.require(platform, job.workspace_id, target, data.identity(platform, job), "write")
    folder = data.output_path(platform, job, output)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "MLTable").write_text(yaml.safe_dump({"paths": paths}), "utf-8")
    await data.upload(platform, job, output)
    data.register(platform, job, output)


async def _tidy(platform: Platform, job: Job) -> None:
    """Remove the local copies of the iterations' outputs."""
    for child in documents.children(platform, again(platform, job)):
        await asyncio.to_thread(disk.delete, child.folder(platform) / "outputs")
