"""The run of a job: its tasks in their order, each a Python file that spark-submit runs on this machine.

A path `abfss://…` is a folder of this machine for Spark: what is there is downloaded before a task, and what the task
changes is uploaded after it, with the rights of the access connector. A restart of amlite ends runs as failed.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path

from amlite.core import contained, disk
from amlite.core.clock import LateError
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.processes import OWNER_VARIABLE
from amlite.core.programs import run as run_program
from amlite.core.resource_id import ResourceId
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services import environments
from amlite.services.databricks import catalog, definition, files, jobs
from amlite.services.databricks.catalog import Place
from amlite.services.environments import spark
from amlite.services.storage import accounts, blobs, room
from amlite.services.storage.blobs import BlobPath

_TRACEBACK = "Traceback (most recent call last):"
_FAILED = "Workload failed, see run output for details"
_MOUNTS = "spark.hadoop.fs.viewfs.mounttable"
# A file system of Hadoop that finds local folders by the container and account of a path.
_MOUNTED = {
    "spark.hadoop.fs.abfss.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
    "spark.hadoop.fs.viewfs.overload.scheme.target.abfss.impl": "org.apache.hadoop.fs.LocalFileSystem",
    "spark.log.level": "WARN",
    "spark.driver.memory": "2g",
}
_KEPT_CHARACTERS = 5 << 20
_KEPT_ERROR = 100_000
_LINE_SIZE = 64  # what a line takes in memory beside its characters


class TaskError(Exception):
    """A task that failed: what its output shows as the error."""


@dataclass
class Log:
    """The end of what a task prints, which may have no end: as much as Databricks keeps."""

    truncated: bool = False
    _kept: str = ""
    _new: list[str] = field(default_factory=list)
    _size: int = 0

    def add(self, line: str) -> None:
        """Add a line, and forget the first ones where there are too many."""
        self._new.append(f"{line}\n")
        self._size += len(line) + _LINE_SIZE
        if self._size > _KEPT_CHARACTERS:
            self.text()

    def text(self) -> str:
        """Return the end of the log."""
        whole = "".join([self._kept, *self._new])
        self.truncated |= len(whole) > _KEPT_CHARACTERS
        self._kept, self._new, self._size = whole[-_KEPT_CHARACTERS:], [], 0
        return self._kept

    def error(self) -> tuple[str, str] | None:
        """Return the error and the whole text of the first traceback of Python, or None without one."""
        shown: list[str] = []
        for line in self.text().split("\n"):
            if shown and line[:1] in (" ", "\t"):
                shown.append(line)
            elif line.endswith(_TRACEBACK):
                shown = [_TRACEBACK]
            elif line and len(shown) > 1:
                return line[:_KEPT_ERROR], "\n".join([*shown, line])[-_KEPT_ERROR:]
            else:
                shown = []
        return None


@dataclass
class Running:
    """The tasks of asyncio that run jobs, by the ids of the runs."""

    tasks: dict[int, asyncio.Task[None]] = field(default_factory=dict)


def begin(platform: Platform, workspace: Document, run: Json) -> None:
    """Start a run."""
    work = platform.background(_run(platform, workspace, run), f"Databricks run {run['run_id']}")
    platform.part(Running).tasks[run["run_id"]] = work


async def cancel(platform: Platform, run_id: int) -> None:
    """End a run, if it is under way."""
    if (work := platform.part(Running).tasks.get(run_id)) is not None:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def end_all(platform: Platform, resource_id: ResourceId) -> None:
    """End the runs of a workspace that is deleted: one of the same name, which others create, must not get them."""
    workspace = platform.store.get(str(resource_id))
    for run in jobs.runs_of(platform, workspace) if workspace is not None else []:
        await cancel(platform, run["run_id"])


async def end_interrupted(platform: Platform) -> None:
    """Let the runs fail that an earlier process of amlite did not finish."""
    for document in list(platform.store.of_type(jobs.RUN)):
        run = document.body
        for part in (run, *run["tasks"]):
            if part["state"]["life_cycle_state"] not in jobs.ENDED:
                jobs.set_state(platform, part, "INTERNAL_ERROR", "FAILED", "amlite stopped during the run.")
        platform.store.put(document.id, jobs.RUN, run)


async def _run(platform: Platform, workspace: Document, run: Json) -> None:
    settings, failed = run["settings"], ""
    order = TopologicalSorter(definition.before(settings["tasks"])).static_order()
    by_key = {task["task_key"]: task for task in run["tasks"]}
    limit = float(settings.get("timeout_seconds") or math.inf)
    folder = platform.state / "databricks" / str(run["run_id"])
    try:
        jobs.set_state(platform, run, "RUNNING")
        work = _all(platform, workspace, run, [by_key[key] for key in order], folder)
        failed = await platform.clock.within(limit, work)
        result = "FAILED" if failed else "SUCCESS"
        message = f"Task {failed} failed with message: {_FAILED}." if failed else ""
        jobs.set_state(platform, run, "TERMINATED", result, message, "RUN_EXECUTION_ERROR" if failed else "")
    except LateError:
        jobs.set_state(platform, run, "TERMINATED", "TIMEDOUT", f"Run exceeded its timeout of {limit:.0f} s.")
    except asyncio.CancelledError:
        jobs.set_state(platform, run, "TERMINATED", "CANCELED", "Run cancelled.", "USER_CANCELED")
        raise
    finally:
        if run["state"]["life_cycle_state"] not in jobs.ENDED:
            told = "An internal error ended the run. The log of amlite has it."
            jobs.set_state(platform, run, "INTERNAL_ERROR", "FAILED", told, "INTERNAL_ERROR")
        for task in run["tasks"]:
            if task["state"]["life_cycle_state"] not in jobs.ENDED:
                jobs.set_state(platform, task, "TERMINATED", run["state"].get("result_state") or "CANCELED")
        platform.part(Running).tasks.pop(run["run_id"], None)
        if platform.store.get(workspace.id) is not None:
            jobs.put_run(platform, workspace, run)
        await asyncio.to_thread(disk.delete, folder)


async def _all(platform: Platform, workspace: Document, run: Json, tasks: list[Json], folder: Path) -> str:
    """Run tasks one after the other. Return the key of the first that failed; those that need it do not run."""
    lost: list[str] = []
    needs = definition.before(run["settings"]["tasks"])
    settings = {task["task_key"]: task for task in run["settings"]["tasks"]}
    for task in tasks:
        if any(each in lost for each in needs[task["task_key"]]):
            jobs.set_state(platform, task, "SKIPPED", "UPSTREAM_FAILED", "An upstream task failed.")
            lost.append(task["task_key"])
        elif not await _attempts(platform, workspace, run, task, settings[task["task_key"]], folder):
            lost.append(task["task_key"])
        jobs.put_run(platform, workspace, run)
    return lost[0] if lost else ""


async def _attempts(
    platform: Platform, workspace: Document, run: Json, task: Json, settings: Json, folder: Path
) -> bool:
    retries = int(settings.get("max_retries") or 0)
    for attempt in itertools.count() if retries < 0 else range(retries + 1):
        if attempt:
            await platform.clock.sleep(float(settings.get("min_retry_interval_millis") or 0) / 1000)
        task["attempt_number"] = attempt
        jobs.set_state(platform, task, "RUNNING")
        jobs.put_run(platform, workspace, run)
        log, output = Log(), dict[str, str]()
        work = _Work(platform, workspace, run, settings, folder / f"{task['task_key']}-{attempt}", log)
        try:
            await platform.clock.within(float(settings.get("timeout_seconds") or math.inf), work.perform())
            jobs.set_state(platform, task, "TERMINATED", "SUCCESS")
            return True
        except LateError:
            jobs.set_state(platform, task, "TERMINATED", "TIMEDOUT", "Task exceeded its timeout.")
        except (TaskError, AzureError, environments.UnusableEnvironment, OSError) as error:
            told = error.message if isinstance(error, AzureError) else str(error)
            output["error"], output["error_trace"] = log.error() or (told, told)
            jobs.set_state(platform, task, "TERMINATED", "FAILED", _FAILED, "RUN_EXECUTION_ERROR")
        finally:
            kept = {"logs": log.text().rstrip("\n"), "logs_truncated": log.truncated, **output}
            await asyncio.to_thread(disk.delete, work.folder)
            if platform.store.get(workspace.id) is not None:
                jobs.put_output(platform, workspace, task, kept)
    return False


@dataclass
class _Work:
    """One attempt of a task."""

    platform: Platform
    workspace: Document
    run: Json
    task: Json
    folder: Path
    log: Log

    async def perform(self) -> None:
        """Run the Python file. Raises TaskError, AzureError or UnusableEnvironment."""
        work = self.task["spark_python_task"]
        values = {f"job.parameters.{each['name']}": each["value"] for each in self.run["job_parameters"]}
        values |= {"job.run_id": str(self.run["run_id"]), "job.id": str(self.run.get("job_id", ""))}
        arguments = [definition.resolved(str(text), values) for text in work.get("parameters") or []]
        file = files.get(self.platform, self.workspace, work["python_file"])
        if file["object_type"] != "FILE":
            raise TaskError(f"{work['python_file']} is a folder.")
        source = files.content(self.platform, self.workspace, file)
        places = catalog.places(self.platform, self.workspace, *arguments, source.decode("utf-8", "replace"))
        script = self.folder / "files" / Path(file["path"]).name
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_bytes(source)
        for place in places:
            await self._download(place)
        before = await asyncio.to_thread(_files, self._lake)
        try:
            await self._submit(script, arguments, places)
        finally:
            await self._upload(before, places)

    @property
    def _lake(self) -> Path:
        return self.folder / "lake"

    def _mount(self, blob: BlobPath) -> Path:
        return self._lake / blob.account / blob.container

    async def _download(self, place: Place) -> None:
        blob = place.blob
        if not accounts.may(self.platform, place.identity, blob.account, blob.container, "read"):
            raise _forbidden(blob, "GET")
        self._mount(blob).mkdir(parents=True, exist_ok=True)
        found = await blobs.names(self.platform, blob)
        target = self._mount(blob) / blob.path
        if found:
            await blobs.download_tree(self.platform, blob, target.parent if found == [blob.path] else target)

    async def _submit(self, script: Path, arguments: list[str], places: list[Place]) -> None:
        cluster = definition.cluster_of(self.run["settings"], self.task)
        prepared = await environments.installed(self.platform, spark.packages(), self.log.add)
        conf = {**_MOUNTED, **{str(name): str(value) for name, value in (cluster.get("spark_conf") or {}).items()}}
        conf |= {
            f"{_MOUNTS}.{place.blob.container}@{place.blob.account}.dfs.core.windows.net.linkFallback": self._mount(
                place.blob
            ).as_uri()
            for place in places
        }
        line = ["spark-submit", "--master", "local[*]", "--name", str(self.run["run_name"])]
        for name, value in {**conf, **spark.SETTINGS}.items():
            line += ["--conf", f"{name}={value}"]
        mine = {str(name): str(value) for name, value in (cluster.get("spark_env_vars") or {}).items()}
        runtime = re.match(r"\d+\.\d+", str(cluster.get("spark_version") or "")) or ["client"]
        variables: Mapping[str, str] = {
            **mine,
            **spark.variables(prepared),
            "DATABRICKS_RUNTIME_VERSION": runtime[0],
            OWNER_VARIABLE: str(self.platform.state),
        }
        command, whole = prepared.command(
            [*line, str(script), *arguments],
            cwd=self.folder,
            environment=variables,
            folders=[self.folder],
            inputs=[],
            ports=[],
            name="",
        )
        code = await run_program(command, line=self.log.add, environment=whole, cwd=self.folder)
        if code:
            raise TaskError(f"Python exited with the code {code}")

    async def _upload(self, before: dict[Path, tuple[int, int]], places: list[Place]) -> None:
        """Write the changed files to the storage account, and delete the removed ones."""
        now = await asyncio.to_thread(_files, self._lake)
        changed = [path for path, state in now.items() if before.get(path) != state]
        with room.for_upload(self.platform, "the data lake", sum(now[path][1] for path in changed)) as written:
            for path in (*changed, *(path for path in before if path not in now)):
                blob = _blob(path.relative_to(self._lake))
                if not any(_permits(self.platform, place, blob) for place in places):
                    raise _forbidden(blob, "PUT")
                if path in now:
                    await blobs.upload_file(self.platform, path, blob, within=self._lake)
                    written(now[path][1])
                    continue
                async with await blobs.request(self.platform, "DELETE", blob) as answer:
                    await blobs.check(answer, blob)


def _permits(platform: Platform, place: Place, blob: BlobPath) -> bool:
    same = (place.blob.account, place.blob.container) == (blob.account, blob.container)
    return (
        same
        and not place.read_only
        and f"{blob.path}/".startswith(f"{place.blob.path}/" if place.blob.path else "")
        and accounts.may(platform, place.identity, blob.account, blob.container, "write")
    )


def _forbidden(blob: BlobPath, method: str) -> TaskError:
    return TaskError(
        'Operation failed: "This request is not authorized to perform this operation using this permission.", 403, '
        f"{method}, https://{blob.account}.dfs.core.windows.net/{blob.container}/{blob.path}"
    )


def _blob(path: Path) -> BlobPath:
    """Return the blob that a file below the lake's folder becomes. Raises TaskError for one that can be none."""
    account, container, *parts = (*path.parts, "", "")[: max(len(path.parts), 3)]
    shown = str(path).encode(errors="replace").decode()
    if not all(parts) or shown != str(path):
        raise TaskError(f"'{shown}' is no file of a container.")
    return BlobPath(account, container, "/".join(parts))


def _files(folder: Path) -> dict[Path, tuple[int, int]]:
    """Return the files in a folder with their times and sizes, without the checksums that Hadoop keeps beside them.

    Raises AzureError 400 if a link leads out of the folder.
    """
    return {
        path: (path.stat().st_mtime_ns, path.stat().st_size)
        for path in contained.files(folder, folder)
        if not (path.name.startswith(".") and path.name.endswith(".crc"))
    }
