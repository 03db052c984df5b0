"""What a benchmark returns: our samples beside a floor's or a peer's, taken in the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        what: What was measured.
        ours: Its samples, in `unit`.
        goal: What the project promises; empty where it promises nothing.
        beside: The floor or peer measured in the same run; empty where there is none.
        theirs: Its samples, in `unit`.
        unit: `s`, `ms`, a word for what is counted, or nothing.
    """

    what: str
    ours: list[float]
    goal: str = ""
    beside: str = ""
    theirs: list[float] = field(default_factory=list)
    unit: str = "s"

    @property
    def ratio(self) -> float | None:
        """Our median over theirs, or None without one."""
        if not self.theirs or not statistics.median(self.theirs):
            return None
        return statistics.median(self.ours) / statistics.median(self.theirs)


@contextmanager
def timed(samples: list[float]) -> Iterator[None]:
    """Append the seconds that the block takes."""
    began = time.perf_counter()
    yield
    samples.append(time.perf_counter() - began)


def show(samples: list[float], unit: str) -> str:
    """Return median and range: `1.20 s (1.10-1.40)`."""
    if not samples:
        return ""
    digits = {"s": 2, "ms": 1, "": 2}.get(unit, 0)
    median = f"{statistics.median(samples):.{digits}f} {unit}".rstrip()
    return median if len(samples) == 1 else f"{median} ({min(samples):.{digits}f}-{max(samples):.{digits}f})"
