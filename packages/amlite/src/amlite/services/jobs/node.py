"""Run one program on a node: prepare environment and inputs, then upload outputs and logs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from amlite.core import disk
from amlite.core.access import Principal
from amlite.core.platform import Platform
from amlite.core.processes import free_port, tail
from amlite.core.wire import Json
from amlite.services.environments import Prepared
from amlite.services.jobs import cluster, controls, data, distribution, graph, kinds, plan, process, settings
from amlite.services.jobs.documents import Job, change
from amlite.services.jobs.lifecycle import JobFailure, Produced, Work, artifacts
from amlite.services.jobs.variables import variables
from amlite.services.machinelearning import networks, references
from amlite.services.managedidentity import identities
from amlite.services.storage import blobs

USER_LOG = "user_logs/std_log.txt"
_COMMAND_NOT_FOUND = 127
_MISSING = re.compile(r"(?<![\w.-])([\w.-]+): (?:command )?not found")
PROCESS_LOG = "user_logs/std_log_process"
KEPT_FOLDERS = ("outputs", "logs")
"""The folders of the working folder that exist when a job starts, and that Azure ML keeps with the job."""
BUILD_LOG = "azureml-logs/20_image_build_log.txt"


async def run(platform: Platform, job: Job, produced: Produced, works: Mapping[str, Work]) -> None:
    """Run a job on nodes of its compute when they are free."""
    job = change(platform, job.id, status="Queued", run={"started": None})
    count = plan.instance_count(job.properties.get("resources"))
    async with cluster.nodes(platform, job.properties.get("computeId"), count):
        change(platform, job.id, status="Preparing")
        # Parallel jobs coordinate their workers by queues and tables.
        parallel = job.properties["jobType"] == "Parallel"
        networks.enter(platform, job.workspace_id, ("blob", "queue", "table") if parallel else ("blob",))
        await _on_a_node(platform, job, produced)


async def _on_a_node(platform: Platform, job: Job, produced: Produced) -> None:
    folder = job.folder(platform)
    work = folder / "wd"
    kept = artifacts(platform, job)
    if folder.exists():  # of an attempt that a restart ended; a job writes each artifact once
        await asyncio.to_thread(disk.delete, folder)
        await blobs.delete_tree(platform, kept)
    for name in KEPT_FOLDERS:
        (work / name).mkdir(parents=True)
    who = data.identity(platform, job)
    written = [name for name in job.properties["outputs"] if name != "default"]
    paths = {name: await _place(platform, job, name, who) for name in written}
    program = kinds.PROGRAMS[job.properties["jobType"]]
    build_log = folder / BUILD_LOG
    copies = {
        USER_LOG: process.LogCopy(platform, folder / USER_LOG, kept / USER_LOG, folder),
        BUILD_LOG: process.LogCopy(platform, build_log, kept / BUILD_LOG, folder),
    }

    def log(line: str) -> None:
        build_log.parent.mkdir(exist_ok=True)
        with build_log.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    try:
        async with asyncio.TaskGroup() as group:
            ready = group.create_task(program.prepare(platform, job, log, who))
            group.create_task(data.copy_code(platform, job, who, work))
            values = {
                name: group.create_task(_value(platform, job, name, given, who))
                for name, given in job.properties["inputs"].items()
            }
    except ExceptionGroup as failures:
        await copies[BUILD_LOG].push()
        raise _first(failures) from None
    prepared = ready.result()
    await copies[BUILD_LOG].push()
    inputs = {name: await _safe(platform, job, name, task.result(), prepared) for name, task in values.items()}
    job = change(platform, job.id, status="Running", run={"runner": prepared.label})
    try:
        try:
            code = await _execute(platform, job, prepared, inputs, paths, copies[USER_LOG])
        finally:
            for name in KEPT_FOLDERS:
                await blobs.upload_tree(platform, work / name, kept / name, within=folder)
        await _hand_over(platform, job, written, code, produced)
        if code != 0:
            raise JobFailure("UserError", _exit_message(code, folder / USER_LOG, prepared))
        for name in written:
            data.register(platform, job, name)
    finally:
        for part in (work, folder / "inputs"):
            await asyncio.to_thread(disk.delete, part)


async def _hand_over(platform: Platform, job: Job, written: Sequence[str], code: int, produced: Produced) -> None:
    """Upload the outputs, and say that they are there: before the upload if no other job can know their places."""
    unknown = all(job.name in job.properties["outputs"][name]["uri"] for name in written)
    if code == 0:
        controls.keep(platform, job)
        if unknown:
            produced()
        change(platform, job.id, status="Finalizing")
    for name in written:
        if code == 0 or data.is_mounted(job, name):
            await data.upload(platform, job, name)
    if code == 0 and not unknown:
        produced()


async def _place(platform: Platform, job: Job, output: str, who: Principal | None) -> Path:
    """Return the local path of an output that the job may write, in a folder that exists."""
    declared = job.properties["outputs"][output]
    target = references.location(platform, job.workspace_id, declared["uri"])
    await data.require(platform, job.workspace_id, target, who, "write")
    path = data.output_path(platform, job, output)
    (path.parent if declared["jobOutputType"] in graph.FILE_TYPES else path).mkdir(parents=True)
    return path


async def _execute(
    platform: Platform,
    job: Job,
    prepared: Prepared,
    inputs: dict[str, str | Path],
    outputs: dict[str, Path],
    copy: process.LogCopy,
) -> int:
    folder, kept = job.folder(platform), artifacts(platform, job)
    line, own = kinds.PROGRAMS[job.properties["jobType"]].program(job, inputs, outputs, folder, prepared)
    copies = [copy]
    if told := distribution.processes(job.properties, iter(free_port, 0)):
        line = distribution.launcher(line, told, folder / PROCESS_LOG)
        copies += [
            process.LogCopy(platform, folder / name, kept / name, folder)
            for name in (f"{PROCESS_LOG}_{number}.txt" for number in range(len(told)))
        ]
    texts = {name: str(value) for name, value in inputs.items()}
    limit = (job.properties.get("limits") or {}).get("timeout")
    read = {value if value.is_dir() else value.parent for value in inputs.values() if isinstance(value, Path)}
    try:
        return await process.run(
            platform,
            prepared,
            job.name,
            line,
            cwd=folder / "wd",
            environment={**variables(platform, job, data.identity(platform, job), texts, outputs), **own},
            folder=folder,
            inputs=sorted(each for each in read if not each.is_relative_to(folder)),
            log=folder / USER_LOG,
            copies=copies,
            shared_memory=settings.shared_memory(job.properties.get("resources")),
            limit=plan.seconds(limit) if limit else None,
        )
    except TimeoutError:
        # The published models: "after which the job will be cancelled".
        change(platform, job.id, run={"cancel": f"The job exceeded its timeout of {limit}."})
        raise asyncio.CancelledError from None
    finally:
        identities.forget(platform, job.id)


async def _value(platform: Platform, job: Job, name: str, given: Json, who: Principal | None) -> str | Path:
    if given.get("mode") == "Direct" and not _is_read_here(job, name):
        return data.direct_uri(platform, job, given)
    if "step" in given:
        return await data.from_step(platform, job, given, who)
    if "uri" in given:
        return await data.fetch(platform, job, given, who)
    return str(given["value"])


def _is_read_here(job: Job, name: str) -> bool:
    """Whether a program of amlite's reads an input of a job. It reads local files, whatever the mode is."""
    match job.properties["jobType"]:
        case "Spark" | "AutoML":
            return True
        case "Parallel":
            return name == kinds.parallel.data_input(job.properties)
    return False


async def _safe(platform: Platform, job: Job, name: str, value: str | Path, prepared: Prepared) -> str | Path:
    """Return an input that the job cannot change for others: a downloaded one is the job's own copy, as on Azure."""
    is_shared = prepared.keeps_inputs and job.properties["inputs"][name].get("mode") != "Download"
    if is_shared or not isinstance(value, Path):
        return value
    return await asyncio.to_thread(data.own_copy, value, job.folder(platform), name)


def _exit_message(code: int, log: Path, prepared: Prepared) -> str:
    ended = f"was ended by signal {-code}" if code < 0 else f"exited with status code {code}"
    last = tail(log, within=log.parents[1])
    if missing := _MISSING.search(last) if code == _COMMAND_NOT_FOUND else None:
        ended += (
            f", because '{missing[1]}' is neither in the environment ({prepared.label}) nor on this machine's PATH. "
            "Install it in an environment with a Docker build context"
            + (" (r-base for R)" if missing[1] in ("R", "Rscript") else "")
            + ", which needs a Docker engine, or install it on this machine"
        )
    return (
        f"Execution failed. User process {ended}. Please check log file '{USER_LOG}' for error details. Error: {last}"
    )


def _first(failures: ExceptionGroup[Exception]) -> Exception:
    found: Exception = failures
    while isinstance(found, ExceptionGroup):
        found = found.exceptions[0]
    return found
