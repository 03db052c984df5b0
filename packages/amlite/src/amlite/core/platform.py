"""What every part of amlite works with: the state, the clock, the access check, the children, the operations."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amlite.core.access import Access
from amlite.core.clock import Clock
from amlite.core.operations import Operations
from amlite.core.processes import Children
from amlite.core.store import Store

if TYPE_CHECKING:
    import aiohttp

_CLOCK = "settings/clock"


@dataclass
class Platform:
    """One running amlite. `environment()` is what `amlite run` gives a command; jobs and children get it too."""

    state: Path
    store: Store
    children: Children
    clock: Clock = field(init=False)
    access: Access = field(init=False)
    operations: Operations = field(init=False)
    http: aiohttp.ClientSession = field(init=False)
    environment: dict[str, str] = field(default_factory=dict)
    parts: dict[str, Any] = field(default_factory=dict)  # what a service keeps in memory, by the service's name

    def __post_init__(self) -> None:
        """Open what depends on the store."""
        saved = self.store.get(_CLOCK)
        self.clock = Clock(saved.body["offset"] if saved else 0.0)
        self.access = Access(self.store)
        self.operations = Operations(self)

    def advance(self, seconds: float) -> None:
        """Move the clock forward for good."""
        self.clock.advance(seconds)
        self.store.put(_CLOCK, "settings", {"offset": self.clock.offset})
