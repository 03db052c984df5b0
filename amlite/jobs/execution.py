"""Running jobs: a command in its environment, a pipeline as a graph of commands. Both begin again after a restart."""

from __future__ import annotations

import asyncio
import logging
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

from amlite import operations
from amlite.access import Principal
from amlite.children import tail
from amlite.environments import Prepared, UnusableEnvironment, prepare
from amlite.errors import AzureError
from amlite.jobs import cluster, command, data, documents, plan, process
from amlite.jobs.data import DataAccessError
from amlite.jobs.documents import Job, change
from amlite.jobs.submission import RUN, new_child
from amlite.jobs.variables import variables
from amlite.machinelearning import references
from amlite.mlflow import server, tracking
from amlite.platform import Platform
from amlite.routing import Json
from amlite.storage import blobs
from amlite.storage.blobs import BlobPath

USER_LOG = "user_logs/std_log.txt"
BUILD_LOG = "azureml-logs/20_image_build_log.txt"
PIPELINE_LOG = "logs/azureml/executionlogs.txt"
_log = logging.getLogger("amlite.jobs")


class JobFailure(Exception):  # noqa: N818 - a way for a job to end, not a fault of this program
    """Why a job fails: the code and message that its error carries."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@operations.work(RUN)
async def run(platform: Platform, arguments: Json) -> None:
    """Run a submitted job to its end; a job that has ended is left alone."""
    found = platform.store.get(arguments["id"])
    if found is None or (job := Job(found.id, found.body)).ended:
        return
    await _to_its_end(platform, job, _pipeline if job.properties["jobType"] == "Pipeline" else _command)


@operations.work("jobs.canceled")
async def wait_until_ended(platform: Platform, arguments: Json) -> None:
    """Wait until a job that is being cancelled has ended."""
    found = platform.store.get(arguments["id"])
    if found is not None:
        task = _tasks(platform).get(found.id)
        if task is not None:
            await asyncio.wait([task])


@operations.work("jobs.delete")
async def delete(platform: Platform, arguments: Json) -> None:
    """Forget a job that has ended, its children, and what they left on this machine."""
    found = platform.store.get(arguments["id"])
    if found is None:
        return
    job = Job(found.id, found.body)
    for each in (*documents.children(platform, job), job):
        await asyncio.to_thread(shutil.rmtree, each.folder(platform), ignore_errors=True)
        platform.store.delete(each.id)


async def forget(platform: Platform, workspace_id: str) -> None:
    """End every job of a workspace that is being deleted, and forget what its jobs and MLflow left on this machine."""
    workspace = references.workspace(platform, workspace_id)
    running = [job for job in documents.every(platform, workspace.id) if not job.ended and not job.run.get("parent")]
    for job in running:
        cancel(platform, job, "the workspace is being deleted")
    tasks = [task for job in running if (task := _tasks(platform).get(job.id)) is not None]
    await asyncio.gather(*tasks, return_exceptions=True)
    await server.remove(platform, workspace.body)
    folder = documents.folder(platform, workspace.id, "any").parent
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def cancel(platform: Platform, job: Job, reason: str) -> None:
    """Ask a job and its children to end; they are Canceled as soon as their processes are gone."""
    for each in (job, *documents.children(platform, job)):
        if not each.ended:
            change(platform, each.id, status="CancelRequested", run={"cancel": reason})
    task = _tasks(platform).get(job.id)
    if task is not None:
        task.cancel()


async def _to_its_end(
    platform: Platform, job: Job, work: Callable[[Platform, Job, Callable[[], None]], object],
    produced: Callable[[], None] = lambda: None,
) -> None:  # fmt: skip
    """Do a job's work and give the job its final status, unless amlite is stopping: then it begins again later."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101
    _tasks(platform)[job.id] = task
    workspace = references.workspace(platform, job.workspace_id).body
    status, error = "Completed", None
    try:
        tracking.prewarm(platform, job.workspace_id)
        tracking.start_run(platform, workspace, job)
        await work(platform, job, produced)  # type: ignore[misc]
    except asyncio.CancelledError:
        if not documents.get(platform, job.workspace_id, job.name).run.get("cancel"):
            raise
        task.uncancel()
        status = "Canceled"
    except JobFailure as failure:
        status, error = "Failed", {"code": failure.code, "message": str(failure)}
    except (DataAccessError, UnusableEnvironment) as failure:
        status, error = "Failed", {"code": "UserError", "message": str(failure)}
    except AzureError as failure:
        status, error = "Failed", {"code": failure.code, "message": failure.message}
    except Exception as failure:  # noqa: BLE001 - a job must end, whatever its work trips over
        _log.exception("job %s", job.name)
        status, error = "Failed", {"code": "ServiceError", "message": f"{type(failure).__name__}: {failure}"}
    finally:
        _tasks(platform).pop(job.id, None)
    change(platform, job.id, status=status, run={"error": error})
    tracking.end_run(platform, workspace, job.name, status)


def _tasks(platform: Platform) -> dict[str, asyncio.Task[object]]:
    tasks: dict[str, asyncio.Task[object]] = platform.parts.setdefault("job-tasks", {})
    return tasks


class PipelineLog:
    """What a pipeline's own log says about its steps."""

    def __init__(self, platform: Platform, job: Job) -> None:
        self._platform = platform
        self._path = job.folder(platform) / PIPELINE_LOG
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        self._copy = process.LogCopy(platform, self._path, _artifacts(platform, job) / PIPELINE_LOG)

    async def say(self, text: str) -> None:
        """Write one line, with the time, here and in the datastore."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"[{self._platform.clock.now():%Y-%m-%d %H:%M:%SZ}] {text}\n")
        await self._copy.push()


async def _pipeline(platform: Platform, job: Job, _produced: Callable[[], None]) -> None:
    change(platform, job.id, status="Running")
    steps = plan.pipeline_job(platform, job.workspace_id, job.properties)
    children = _children(platform, job, steps)
    carry_on = bool((job.properties.get("settings") or {}).get("continue_on_step_failure"))
    ready = {name: asyncio.get_running_loop().create_future() for name in steps}
    log = PipelineLog(platform, job)
    await log.say(f"Running {len(steps)} steps: {', '.join(f'{name}:{children[name].name}' for name in steps)}")
    tasks = {
        asyncio.create_task(_step(platform, children[name], steps[name], ready), name=f"step {name}"): name
        for name in steps
    }
    pending = set(tasks)
    try:
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            states = {tasks[task]: _again(platform, children[tasks[task]]).status for task in done}
            for name, status in states.items():
                await log.say(f"Step {name} ({children[name].name}): {status}")
            if "Failed" in states.values() and not carry_on:
                for task in pending:
                    if not _again(platform, children[tasks[task]]).ended:
                        state = {"cancel": "another step failed"}
                        change(platform, children[tasks[task]].id, status="CancelRequested", run=state)
                        task.cancel()
    except asyncio.CancelledError:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        raise
    _bind_outputs(platform, job, steps, children)
    ended = {name: _again(platform, child) for name, child in children.items()}
    failed = {name: child for name, child in ended.items() if child.status == "Failed"}
    for child in children.values():
        await asyncio.to_thread(shutil.rmtree, child.folder(platform) / "outputs", ignore_errors=True)
    if failed:
        raise _pipeline_failure(failed)
    canceled = [name for name, child in ended.items() if child.status == "Canceled"]
    if canceled:
        raise JobFailure("UserError", f"Pipeline has canceled child jobs: {', '.join(canceled)}.")


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


def _children(platform: Platform, job: Job, steps: dict[str, plan.Step]) -> dict[str, Job]:
    """Return the child job of every node, writing down those that an earlier attempt has not."""
    names: dict[str, str] = dict(job.run.get("children") or {})
    found: dict[str, Job] = {}
    for name, step in steps.items():
        known = documents.find(platform, job.workspace_id, names[name]) if name in names else None
        found[name] = known or new_child(platform, job, name, step.properties)
        names[name] = found[name].name
    for child in found.values():
        inputs = child.properties["inputs"]
        for given in inputs.values():
            if given.get("step") in names:
                given["step"] = names[given["step"]]
        change(platform, child.id, properties={"inputs": inputs})
    change(platform, job.id, run={"children": names})
    return found


async def _step(platform: Platform, child: Job, step: plan.Step, ready: dict[str, asyncio.Future[bool]]) -> None:
    mine = ready[step.node.name]

    def produced() -> None:
        if not mine.done():
            mine.set_result(True)

    try:
        if _again(platform, child).ended:
            if _again(platform, child).status == "Completed":
                produced()
            return
        if not all([await ready[name] for name in step.node.needs]):
            change(platform, child.id, status="Canceled", run={"cancel": "a step that it needs did not complete"})
            return
        await _to_its_end(platform, _again(platform, child), _command, produced)
    except asyncio.CancelledError:
        if not _again(platform, child).run.get("cancel"):
            raise
        change(platform, child.id, status="Canceled")
    finally:
        if not mine.done():
            mine.set_result(False)


def _bind_outputs(platform: Platform, job: Job, steps: dict[str, plan.Step], children: dict[str, Job]) -> None:
    outputs = _again(platform, job).properties.get("outputs") or {}
    for name, step in steps.items():
        for own, target in step.node.outputs.items():
            written = _again(platform, children[name]).properties["outputs"][own]
            outputs[target] = {"mode": "ReadWriteMount", **(outputs.get(target) or {}), "uri": written["uri"]}
    change(platform, job.id, properties={"outputs": outputs})


async def _command(platform: Platform, job: Job, produced: Callable[[], None]) -> None:
    job = change(platform, job.id, status="Queued", run={"started": None})
    resources = job.properties.get("resources") or {}
    count = int(resources.get("instanceCount") or resources.get("instance_count") or 1)
    async with cluster.nodes(platform, job.properties.get("computeId"), count):
        change(platform, job.id, status="Preparing")
        await _on_a_node(platform, job, produced)


async def _on_a_node(platform: Platform, job: Job, produced: Callable[[], None]) -> None:
    folder = job.folder(platform)
    work = folder / "wd"
    if folder.exists():  # an attempt that a restart ended
        await asyncio.to_thread(shutil.rmtree, folder)
    work.mkdir(parents=True)
    artifacts = _artifacts(platform, job)
    who = data.identity(platform, job)
    written = [name for name in job.properties["outputs"] if name != "default"]
    paths = {name: data.output_path(platform, job, name) for name in written}
    for name, path in paths.items():
        target = references.location(platform, job.workspace_id, job.properties["outputs"][name]["uri"])
        data.require(platform, job.workspace_id, target, who, "write")
        (path.parent if job.properties["outputs"][name]["jobOutputType"] == "uri_file" else path).mkdir(parents=True)
    build_log = folder / BUILD_LOG
    copies = {
        USER_LOG: process.LogCopy(platform, folder / USER_LOG, artifacts / USER_LOG),
        BUILD_LOG: process.LogCopy(platform, build_log, artifacts / BUILD_LOG),
    }

    def log(line: str) -> None:
        build_log.parent.mkdir(exist_ok=True)
        with build_log.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    try:
        async with asyncio.TaskGroup() as group:
            ready = group.create_task(prepare(platform, job.properties["environmentId"], log, principal=who))
            group.create_task(data.copy_code(platform, job, who, work))
            values = {
                name: group.create_task(_value(platform, job, given, who))
                for name, given in job.properties["inputs"].items()
            }
    except ExceptionGroup as failures:
        await copies[BUILD_LOG].push()
        raise _first(failures) from None
    prepared = ready.result()
    await copies[BUILD_LOG].push()
    inputs = {name: task.result() for name, task in values.items()}
    job = change(platform, job.id, status="Running", run={"runner": prepared.label})
    try:
        code = await _execute(platform, job, prepared, inputs, paths, copies[USER_LOG])
        if code == 0:
            produced()
            change(platform, job.id, status="Finalizing")
        await copies[USER_LOG].push()
        if (work / "outputs").is_dir():  # Azure ML keeps what is written to ./outputs with the job
            await blobs.upload_tree(platform, work / "outputs", artifacts / "outputs")
        if code != 0:
            raise JobFailure("UserError", _exit_message(code, folder / USER_LOG))
        for name in written:
            await data.upload(platform, job, name)
            data.register(platform, job, name)
    finally:
        for part in (work, folder / "inputs"):
            await asyncio.to_thread(shutil.rmtree, part, ignore_errors=True)


async def _execute(
    platform: Platform,
    job: Job,
    prepared: Prepared,
    inputs: dict[str, str | Path],
    outputs: dict[str, Path],
    copy: process.LogCopy,
) -> int:
    folder = job.folder(platform)
    line = command.render(
        job.properties["command"],
        {name: shlex.quote(str(value)) if isinstance(value, Path) else value for name, value in inputs.items()},
        {name: shlex.quote(str(path)) for name, path in outputs.items()},
    )
    given = {name: str(value) for name, value in inputs.items()}
    limit = (job.properties.get("limits") or {}).get("timeout")
    folders = [
        folder,
        *{value if value.is_dir() else value.parent for value in inputs.values() if isinstance(value, Path)},
    ]
    try:
        return await process.run(
            platform,
            prepared,
            job.name,
            ["bash", "-c", line],
            cwd=folder / "wd",
            environment=variables(platform, job, data.identity(platform, job), given, outputs),
            folders=folders,
            log=folder / USER_LOG,
            copy=copy,
            limit=plan.seconds(limit) if limit else None,
        )
    except TimeoutError:
        await copy.push()
        raise JobFailure("UserError", f"The job was ended: it exceeded its timeout of {limit}.") from None


async def _value(platform: Platform, job: Job, given: Json, who: Principal | None) -> str | Path:
    if "step" in given:
        return await data.from_step(platform, job, given, who)
    if "uri" in given:
        return await data.fetch(platform, job, given, who)
    return str(given["value"])


def _exit_message(code: int, log: Path) -> str:
    ended = f"was ended by signal {-code}" if code < 0 else f"exited with status code {code}"
    return (
        f"Execution failed. User process {ended}. Please check log file '{USER_LOG}' for error details. "
        f"Error: {tail(log)}"
    )


def _first(failures: ExceptionGroup[Exception]) -> Exception:
    found: Exception = failures
    while isinstance(found, ExceptionGroup):
        found = found.exceptions[0]
    return found


def _artifacts(platform: Platform, job: Job) -> BlobPath:
    return references.location(platform, job.workspace_id, f"azureml://jobs/{job.name}/outputs/artifacts")


def _again(platform: Platform, job: Job) -> Job:
    return documents.get(platform, job.workspace_id, job.name)
