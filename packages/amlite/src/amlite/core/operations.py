"""Long-running operations that survive a restart.

Each has work, a function that a service names. To begin an operation stores it, runs the work as a task, and returns
the headers for Azure's clients to poll. After a restart, unfinished work runs again, so it must be repeatable.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from amlite.core.clock import Clock
from amlite.core.errors import AzureError
from amlite.core.store import Store
from amlite.core.wire import Json

TYPE = "operations"
POLL_MILLISECONDS = 100
_KEPT = dt.timedelta(days=1)
_FINAL = ("Completed", "Canceled")  # of jobs, which keep it
_log = logging.getLogger("amlite.core.operations")
_FAILURE: ContextVar[tuple[str, str] | None] = ContextVar("failure", default=None)
_DELAY: ContextVar[float] = ContextVar("delay", default=0.0)


@contextmanager
def failing(code: str, message: str) -> Iterator[None]:
    """Make every operation that begins inside the block fail with its resource. Its work does not run."""
    token = _FAILURE.set((code, message))
    try:
        yield
    finally:
        _FAILURE.reset(token)


@contextmanager
def delayed(seconds: float) -> Iterator[None]:
    """Delay the work of every operation that begins inside the block by `seconds` of amlite's clock."""
    token = _DELAY.set(seconds)
    try:
        yield
    finally:
        _DELAY.reset(token)


class Operations:
    """The operations of one platform."""

    def __init__(self, store: Store, clock: Clock, perform: Callable[[str, Json], Awaitable[None]]) -> None:
        """Start without tasks. `resume` restarts the operations of an earlier process.

        `perform` runs the work of a name. An AzureError that it raises becomes the operation's error.
        """
        self._store = store
        self._clock = clock
        self._perform = perform
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, name: str, arguments: Json, *, resource_id: str | None = None) -> str:
        """Store an operation, start its work and return its id."""
        operation_id = str(uuid.uuid4())
        body = {
            "name": operation_id,
            "work": name,
            "arguments": arguments,
            "resourceId": resource_id,
            "status": "InProgress",
            "startTime": self._clock.stamp(),
            "failure": _FAILURE.get(),
            "delay": _DELAY.get(),
        }
        self._store.put(f"{TYPE}/{operation_id}", TYPE, body)
        self._start(operation_id)
        return operation_id

    def get(self, operation_id: str) -> Json:
        """Return an operation's record. AzureError 404 if it does not exist."""
        document = self._store.get(f"{TYPE}/{operation_id}")
        if document is None:
            raise AzureError(404, "OperationNotFound", f"The operation '{operation_id}' was not found.")
        return document.body

    async def ended(self, operation_id: str) -> Json:
        """Wait until an operation has ended, and return its record."""
        if (task := self._tasks.get(operation_id)) is not None:
            await asyncio.wait([task])
        return self.get(operation_id)

    def resume(self) -> int:
        """Restart the unfinished operations of an earlier process and return their number.

        Operations that ended over a day ago are removed.
        """
        long_ago = (self._clock.now() - _KEPT).strftime("%Y-%m-%dT%H:%M:%S")
        unfinished = []
        for document in self._store.of_type(TYPE):
            if document.body["status"] == "InProgress":
                unfinished.append(document.body["name"])
            elif document.body["endTime"] < long_ago:
                self._store.delete(document.id)
        for operation_id in unfinished:
            self._start(operation_id)
        return len(unfinished)

    async def stop(self) -> None:
        """Stop every task without ending its operation. The next start resumes it."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _start(self, operation_id: str) -> None:
        task = asyncio.create_task(self._run(operation_id), name=f"operation {operation_id}")
        self._tasks[operation_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(operation_id, None))

    async def _run(self, operation_id: str) -> None:
        record = self.get(operation_id)
        outcome: Json
        try:
            if record.get("failure"):
                self._mark_failed(record["resourceId"])
                raise AzureError(500, *record["failure"])
            if record.get("delay"):
                await self._clock.sleep(record["delay"])
            await self._perform(record["work"], record["arguments"])
            outcome = {"status": "Succeeded"}
        except AzureError as error:
            outcome = {"status": "Failed", "error": error.body()["error"]}
        except Exception as error:  # noqa: BLE001 - an operation must end, whatever its work raises
            _log.exception("operation %s (%s)", operation_id, record["work"])
            self._mark_failed(record["resourceId"])  # nobody else knows of this error, and a resource must end too
            outcome = {"status": "Failed", "error": {"code": "InternalServerError", "message": str(error)}}
        self._finish(operation_id, outcome)

    def _mark_failed(self, resource_id: str | None) -> None:
        document = self._store.get(resource_id or "")
        properties = document.body.get("properties", {}) if document is not None else {}
        # A job has a status instead, which would never become final.
        state = next((key for key in ("provisioningState", "status") if key in properties), None)
        if document is not None and state is not None and properties[state] not in _FINAL:
            properties[state] = "Failed"
            self._store.put(document.id, document.type, document.body)

    def _finish(self, operation_id: str, outcome: Json) -> None:
        record = {**self.get(operation_id), **outcome, "endTime": self._clock.stamp()}
        self._store.put(f"{TYPE}/{operation_id}", TYPE, record)


def pace() -> dict[str, str]:
    """Return the header with the time until the next poll. azure-core ignores it if there is also a `Retry-After`."""
    return {"retry-after-ms": str(POLL_MILLISECONDS)}


def headers(host: str, status_path: str, result_path: str, operation_id: str) -> dict[str, str]:
    """Return the polling headers for an operation with its status and result below these paths of a host."""
    end = f"{operation_id}?api-version=2024-04-01"
    return {
        "Azure-AsyncOperation": f"https://{host}{status_path}/{end}",
        "Location": f"https://{host}{result_path}/{end}",
        **pace(),
    }
