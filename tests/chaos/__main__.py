"""`python -m tests.chaos`: kill parts of a release at random moments, run the release once more, and compare.

Each point starts with a fresh local Azure, or with a copy of one that is deployed or trained. With several kills, each
one hits the run that follows the one before. The same seed gives the same moments and the same choice of victims. What
runs at that moment depends on the machine.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import click
import psutil
from rich.console import Console
from rich.table import Table

from tests.chaos import victims
from tests.chaos.ground import End, Ground, end_on_a_signal

_NOBODY = "none"
_NEW, _DEPLOYED, _TRAINED = "new", "deployed", "trained"
_UP = "release up --no-doctor -s local"
# What a phase begins with, and its command. The same command repairs what a kill left.
_PHASES = {
    "first up": (_NEW, f"{_UP} --no-train"),
    "rollout": (_TRAINED, _UP),
    "destroy": (_TRAINED, "release down -s local --yes --purge"),
    "training": (_DEPLOYED, _UP),
}
# How the states are made that points begin with: from which one, and by which command.
_STATES = {
    _DEPLOYED: (_NEW, f"{_UP} --no-train"),
    _TRAINED: (_DEPLOYED, "release train -s local --no-promote"),
}


@dataclass
class Point:
    """The kills of one local Azure (victim, seconds), and what was wrong after one more run."""

    phase: str
    kills: list[tuple[str, float]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


@click.command()
@click.option("--points", default=200, show_default=True, type=click.IntRange(min=1), help="How often to begin.")
@click.option("--kills", default=1, show_default=True, type=click.IntRange(min=1), help="The kills of each point.")
@click.option("--seed", default=1, show_default=True, help="Selects the moments and the victims.")
@click.option("--phase", "phases", multiple=True, type=click.Choice(list(_PHASES)), help="Default: all, in turn.")
@click.option("--logs", type=click.Path(path_type=Path), help="A folder for the logs. Default: a temporary one.")
@click.option("--states", type=click.Path(path_type=Path), help="A folder that keeps what points begin with.")
def main(points: int, kills: int, seed: int, phases: tuple[str, ...], logs: Path | None, states: Path | None) -> None:
    """Print a table of kills by victim and phase. The exit code is 1 if something was lost or left behind."""
    chosen = list(phases or _PHASES)
    end_on_a_signal()
    folder = logs or Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(f"seed {seed}, logs {folder}")
    sweep = Sweep(folder, states, random.Random(seed), lambda line: console.print(line, highlight=False))
    done: list[Point] = []
    try:
        for number in range(points):
            point = sweep.point(chosen[number % len(chosen)], number, kills)
            done.append(point)
            verdict = "; ".join(point.wrong) or "same end state, nothing left"
            told = ", ".join(f"{victim:<17} at {seconds:5.1f} s" for victim, seconds in point.kills)
            console.print(f"{number + 1:4} {point.phase:<9} {told}  {verdict}")
    finally:
        sweep.close()
        console.print(_table(done))
    sys.exit(any(point.wrong for point in done))


class Sweep:
    """Points on one machine: the states that they begin with, and how each phase goes without a kill."""

    def __init__(self, folder: Path, states: Path | None, source: random.Random, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._kept = states
        self._random = source
        self._say = say
        self._states: dict[str, Ground] = {}
        self._usual: dict[str, tuple[float, End]] = {}

    def point(self, phase: str, number: int, kills: int) -> Point:
        """Kill one process in each of `kills` runs of a phase, run its command again, and return what is wrong then."""
        begins, command = _PHASES[phase]
        if phase not in self._usual:
            self._usual[phase] = self._undisturbed(phase)
        took, usual = self._usual[phase]
        log = self._folder / f"{number}.log"
        ground = self._ground(begins, f"{number}", log)
        point = Point(phase)
        try:
            for _ in range(kills):
                began, moment = time.monotonic(), self._random.uniform(0, took)
                running = ground.start(command, log)
                while running.poll() is None and time.monotonic() - began < moment:
                    time.sleep(0.05)
                point.kills.append((self._kill(ground), moment))
                running.wait()
            code = ground.run(command, log)
            if code != 0:
                point.wrong.append(f"the run after it ended with {code}")
            end, left = ground.end()
            point.wrong += [*end.differences(usual), *left]
            return point
        finally:
            ground.clear()

    def close(self) -> None:
        """Delete what the points started with, unless it is kept."""
        for each in () if self._kept else self._states.values():
            each.clear()

    def _undisturbed(self, phase: str) -> tuple[float, End]:
        """Return how long a phase takes without a kill, and its end."""
        name = phase.replace(" ", "-")
        log = self._folder / f"usual-{name}.log"
        ground = self._ground(_PHASES[phase][0], f"usual-{name}", log)
        try:
            took = self._run(ground, _PHASES[phase][1], log)
            self._say(f"     {phase:<9} takes {took:.0f} s without a kill")
            return took, ground.end()[0]
        finally:
            ground.clear()

    def _ground(self, state: str, name: str, log: Path) -> Ground:
        """Return a local Azure in a state. It begins with a copy of one that is made once."""
        ground = Ground(self._folder / f"state-{name}")
        if state == _NEW:
            ground.prepare(log)
            return ground
        if state not in self._states:
            self._states[state] = self._made(state)
        self._states[state].copy_to(ground)
        return ground

    def _made(self, state: str) -> Ground:
        made = Ground((self._kept or self._folder) / f"state-{state}")
        if made.is_stopped:
            return made
        before, command = _STATES[state]
        log = self._folder / f"{state}.log"
        begun = self._ground(before, f"new-{state}", log)
        self._run(begun, command, log)
        begun.stop()
        begun.copy_to(made)
        begun.clear()
        return made

    def _run(self, ground: Ground, command: str, log: Path) -> float:
        began = time.monotonic()
        if ground.run(command, log) != 0:
            raise click.ClickException(f"`{command}` fails without a kill; see {log}")
        return time.monotonic() - began

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
        return _NOBODY


def _table(points: list[Point]) -> Table:
    kills = Counter((victim, each.phase) for each in points for victim, _ in each.kills if victim != _NOBODY)
    bad = Counter((victim, each.phase) for each in points if each.wrong for victim, _ in each.kills)
    wrong = sum(bool(each.wrong) for each in points)
    table = Table(title=f"{kills.total()} kills, {wrong} of {len(points)} points with a loss or a leftover")
    phases = list(dict.fromkeys(each.phase for each in points))
    for title in ("killed", *phases):
        table.add_column(title)
    for victim in sorted({victim for victim, _ in kills}):
        here = [(kills[victim, phase], bad[victim, phase]) for phase in phases]
        table.add_row(victim, *(f"{count - failed} of {count}" if count else "" for count, failed in here))
    return table


if __name__ == "__main__":
    main()
