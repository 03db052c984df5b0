"""The shared parts of amlite: the state, the clock, the access check, the children, the operations."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from amlite.core.access import Access
from amlite.core.clock import Clock
from amlite.core.deleted import Deleted
from amlite.core.operations import Operations
from amlite.core.processes import Children
from amlite.core.store import Store
from amlite.core.wire import Json

if TYPE_CHECKING:
    import aiohttp  # imported late, because the command line does not need it

Part = TypeVar("Part")
Work = Callable[["Platform", Json], Awaitable[None]]
"""The work of a long-running operation. An AzureError that it raises becomes the operation's error."""
_CLOCK = "settings/clock"
_log = logging.getLogger("amlite")


@contextlib.contextmanager
def isolated(what: str) -> Iterator[None]:
    """Log an exception and continue: what one resource does must not end the task that serves those of everybody."""
    try:
        yield
    except Exception:  # noqa: BLE001 - whatever it is
        _log.exception("%s failed", what)


@dataclass
class Platform:
    """One running amlite. `environment` is what `amlite run` gives a command; jobs and children get it too.

    `works` maps the names of long-running operations to functions.
    """

    state: Path
    store: Store
    children: Children
    works: Mapping[str, Work] = field(default_factory=dict)
    clock: Clock = field(init=False)
    access: Access = field(init=False)
    deleted: Deleted = field(init=False)
    operations: Operations = field(init=False)
    http: aiohttp.ClientSession = field(init=False)
    environment: dict[str, str] = field(default_factory=dict)
    _parts: dict[type, object] = field(default_factory=dict)
    _background: set[asyncio.Task[Any]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Create the parts that depend on the store."""
        saved = self.store.get(_CLOCK)
        self.clock = Clock(saved.body["offset"] if saved else 0.0)
        self.access = Access(self.store, self.clock)
        self.deleted = Deleted(self.store, self.clock)
        self.operations = Operations(self.store, self.clock, lambda name, arguments: self.works[name](self, arguments))

    def part(self, kind: type[Part], make: Callable[[], Part] | None = None) -> Part:
        """Return the object of a class that a service keeps in memory. The first call creates it, by `make`."""
        found = self._parts.get(kind)
        if not isinstance(found, kind):
            found = self._parts[kind] = (make or kind)()
        return found

    def background(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Start a background task. If it raises an exception, log it."""
        task = asyncio.create_task(work, name=name)
        self._background.add(task)  # the event loop does not keep a reference to the task
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("%s ended", task.get_name(), exc_info=error)

    def advance(self, seconds: float) -> None:
        """Move the clock forward for good."""
        self.clock.advance(seconds)
        self.store.put(_CLOCK, "settings", {"offset": self.clock.offset})
