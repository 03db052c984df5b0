"""`make up` on a fresh clone with everything cached, phase by phase."""

from __future__ import annotations

import re

from tests.bench.figure import Figure
from tests.bench.ground import Ground

_SET_UP = re.compile(r"^Set-up: done in ([\d.]+) s$", re.MULTILINE)
_PHASES = re.compile(r"^time *\n((?:\S.* s *\n)+)", re.MULTILINE)


def measure(ground: Ground) -> list[Figure]:
    """Bring up one fresh clone; the phases are those that `make up` prints."""
    deployed = ground.deployed
    figures = [Figure("make up, everything cached, fresh stack", [deployed.seconds], "<= 90 s")]
    if found := _SET_UP.search(deployed.printed):
        figures.append(Figure("  Set-up", [float(found[1])]))
    phases = _PHASES.search(deployed.printed)
    if phases is None:
        raise RuntimeError(f"`make up` printed no phases:\n{deployed.printed}")
    for line in phases[1].splitlines():
        title, _, seconds = line.strip().removesuffix(" s").rpartition(" ")
        if title.strip() != "total":
            figures.append(Figure(f"  {title.strip()}", [float(seconds)]))
    return figures
