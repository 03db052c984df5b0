"""`python -m tests.chaos`: kill a part of a release at a random moment, run the release once more, and compare.

Each point starts with a fresh local Azure, or with a copy of a deployed one. The same seed gives the same moments and
the same choice of victims. What runs at that moment depends on the machine.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import click
import psutil
from rich.console import Console
from rich.table import Table

from tests.chaos import victims
from tests.chaos.ground import Ground

_UP = "release up --no-train --no-doctor -s local"
_PHASES = {
    "first up": (_UP, _UP),
    "destroy": ("release down -s local --yes --purge", "release down -s local --yes --purge"),
    "training": ("release train -s local --no-promote", "release train -s local --no-promote"),
    "rollout": ("release up --no-doctor -s local", "release up --no-doctor -s local"),
}
# Phases that begin with a deployed stack. The rollout trains first, so its kills reach the training, too.
_DEPLOYED = ("destroy", "training", "rollout")


@dataclass
class Point:
    """A kill, and what was wrong after one more run."""

    phase: str
    victim: str
    seconds: float
    wrong: list[str] = field(default_factory=list)


@click.command()
@click.option("--points", default=200, show_default=True, type=click.IntRange(min=1), help="The number of kills.")
@click.option("--seed", default=1, show_default=True, help="Selects the moments and the victims.")
@click.option("--phase", "phases", multiple=True, type=click.Choice(list(_PHASES)), help="Default: all, in turn.")
@click.option("--logs", type=click.Path(path_type=Path), help="A folder for the logs. Default: a temporary one.")
def main(points: int, seed: int, phases: tuple[str, ...], logs: Path | None) -> None:
    """Print a table of kills by victim and phase. The exit code is 1 if something was lost or left behind."""
    chosen = list(phases or _PHASES)
    folder = logs or Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(f"seed {seed}, logs {folder}")
    sweep = Sweep(folder, random.Random(seed))
    done: list[Point] = []
    try:
        for number in range(points):
            point = sweep.point(chosen[number % len(chosen)], number)
            done.append(point)
            verdict = "; ".join(point.wrong) or "same end state, nothing left"
            console.print(f"{number + 1:4} {point.phase:<9} {point.victim:<17} at {point.seconds:5.1f} s  {verdict}")
    finally:
        sweep.close()
        console.print(_table(done))
    sys.exit(any(point.wrong for point in done))


class Sweep:
    """Points on one machine: the deployed stack that they start with, and how long each phase takes without a kill."""

    def __init__(self, folder: Path, source: random.Random) -> None:
        self._folder = folder
        self._random = source
        self._deployed: Ground | None = None
        self._took: dict[str, float] = {}
        self._ends: dict[str, Counter[str]] = {}

    def point(self, phase: str, number: int) -> Point:
        """Kill one process in a phase, run its command again, and return what is wrong then."""
        if phase not in self._took:
            self._learn(phase)
        ground = self._ground(phase, f"{number}")
        log = self._folder / f"{number}.log"
        try:
            began, moment = time.monotonic(), self._random.uniform(0, self._took[phase])
            running = ground.start(_PHASES[phase][0], log)
            while running.poll() is None and time.monotonic() - began < moment:
                time.sleep(0.05)
            victim = self._kill(ground)
            running.wait()
            point = Point(phase, victim, moment)
            code = ground.run(_PHASES[phase][1], log)
            if code != 0:
                point.wrong.append(f"the run after it ended with {code}")
            point.wrong += ground.differences(self._ends[phase]) + ground.left_in_state()
            point.wrong += [f"left: {each}" for each in ground.stop()]
            return point
        finally:
            ground.clear()

    def close(self) -> None:
        """Delete what the points started with."""
        if self._deployed is not None:
            self._deployed.clear()

    def _learn(self, phase: str) -> None:
        """Run a phase without a kill."""
        ground = self._ground(phase, f"learn-{phase.replace(' ', '-')}")
        log = self._folder / f"learn-{phase.replace(' ', '-')}.log"
        began = time.monotonic()
        if ground.run(_PHASES[phase][0], log) != 0:
            ground.clear()
            raise click.ClickException(f"{phase} fails without a kill; see {log}")
        self._took[phase], self._ends[phase] = time.monotonic() - began, ground.resources()
        if phase == "first up" and self._deployed is None:
            ground.stop()
            self._deployed = ground
        else:
            ground.clear()

    def _ground(self, phase: str, name: str) -> Ground:
        ground = Ground(self._folder / f"state-{name}")
        log = self._folder / f"{name}.log"
        if phase in _DEPLOYED:
            if self._deployed is None:
                self._learn("first up")
            assert self._deployed is not None
            self._deployed.copy_to(ground)
        else:
            ground.prepare(log)
        return ground

    def _kill(self, ground: Ground) -> str:
        found = victims.candidates(ground.state)
        for name in self._random.sample(victims.NAMES, len(victims.NAMES)):
            if name in found:
                for process in found[name]:
                    try:
                        process.kill()
                    except psutil.NoSuchProcess:
                        continue
                return name
        return "none"


def _table(points: list[Point]) -> Table:
    table = Table(title=f"{len(points)} kills, {sum(bool(each.wrong) for each in points)} with a loss or a leftover")
    phases = list(dict.fromkeys(each.phase for each in points))
    for title in ("killed", *phases):
        table.add_column(title)
    for victim in sorted({each.victim for each in points}):
        cells = []
        for phase in phases:
            here = [each for each in points if (each.victim, each.phase) == (victim, phase)]
            bad = sum(bool(each.wrong) for each in here)
            cells.append(f"{len(here) - bad} of {len(here)}" if here else "")
        table.add_row(victim, *cells)
    return table


if __name__ == "__main__":
    main()
