"""`python -m tests.chaos.faults`: run whole releases while a share of all requests to Azure's hosts fails.

Each release starts with a fresh local Azure. The same seed gives the same sequence of failures. Which request meets
them depends on the machine, because a release sends requests at the same time.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from tests.chaos.ground import End, Ground, end_on_a_signal

_COMMAND = "release up -s local"
_EVERYTHING = "* *"
# The failures of a series, in equal shares of its rate.
KINDS: dict[str, list[dict[str, Any]]] = {
    "expired": [{"kind": "expired"}],
    "mixed": [
        {"kind": "throttle"},
        *({"kind": "error", "status": status} for status in (500, 502, 503, 504)),
        {"kind": "reset"},
    ],
}
# What `release up` says when it repeats an update.
_REPEATED = re.compile(r"attempt \d+ of \d+ failed")


@dataclass
class Series:
    """A release under faults: how it went, and what was wrong after it."""

    failed: int
    requests: int
    repeated: int
    seconds: float
    wrong: list[str] = field(default_factory=list)


@click.command()
@click.option("--kind", default="mixed", show_default=True, type=click.Choice(list(KINDS)), help="What fails.")
@click.option("--rate", default=0.3, show_default=True, type=click.FloatRange(0, 1), help="The share that fails.")
@click.option("--points", default=10, show_default=True, type=click.IntRange(min=1), help="The number of releases.")
@click.option("--seed", default=1, show_default=True, help="Selects the failures.")
@click.option("--train/--no-train", default=True, show_default=True, help="Train and roll out a first model, too.")
@click.option("--logs", type=click.Path(path_type=Path), help="A folder for the logs. Default: a temporary one.")
def main(kind: str, rate: float, points: int, seed: int, train: bool, logs: Path | None) -> None:
    """Print a table of releases under faults. The exit code is 1 if one failed, or left or lost something."""
    end_on_a_signal()
    folder = logs or Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    console = Console(width=None if sys.stdout.isatty() else 160)
    command = _COMMAND if train else f"{_COMMAND} --no-train"
    console.print(f"{kind} faults, rate {rate}, seed {seed}, logs {folder}, {command}", highlight=False)
    end, seconds = _without_faults(folder, command)
    console.print(f"  without faults   {seconds:5.1f} s")
    done: list[Series] = []
    try:
        for number in range(points):
            one = series(folder, f"{number}", command, rules(kind, rate, seed * 1000 + number), end)
            done.append(one)
            verdict = "; ".join(one.wrong) or "same end state, nothing left"
            console.print(
                f"{number + 1:4}  {one.failed:5} of {one.requests:5} requests failed, {one.repeated} updates repeated, "
                f"{one.seconds:5.1f} s  {verdict}", highlight=False,
            )  # fmt: skip
    finally:
        console.print(_table(kind, rate, done, seconds))
    sys.exit(any(one.wrong for one in done))


def rules(kind: str, rate: float, seed: int) -> list[dict[str, Any]]:
    """Return faults that together fail a share of all requests. A later rule gets what the earlier ones let pass."""
    share = rate / len(KINDS[kind])
    return [
        {"match": _EVERYTHING, "rate": share / (1 - share * place), "seed": seed + place, **each}
        for place, each in enumerate(KINDS[kind])
    ]


def series(folder: Path, name: str, command: str, faults: list[dict[str, Any]], end: End) -> Series:
    """Run a release under faults in a fresh local Azure, and compare its end with that of a release without any."""
    ground, log = Ground(folder / f"state-{name}"), folder / f"{name}.log"
    try:
        ground.prepare(log)
        for each in faults:
            ground.command("fault", "add", *(word for key, value in each.items() for word in (f"--{key}", f"{value}")))
        before, began = ground.requests(), time.monotonic()
        code = ground.run(command, log)
        seconds, requests = time.monotonic() - began, ground.requests() - before
        failed = sum(int(met) for met in re.findall(r"met (\d+)", ground.command("fault", "list")))
        ground.command("fault", "clear")
        one = Series(failed, requests, len(_REPEATED.findall(log.read_text("utf-8", "replace"))), seconds)
        if code != 0:
            one.wrong.append(f"it ended with {code}")
        reached, left = ground.end()
        one.wrong += [*reached.differences(end), *left]
        return one
    finally:
        ground.clear()


def _without_faults(folder: Path, command: str) -> tuple[End, float]:
    ground, log = Ground(folder / "state-learn"), folder / "learn.log"
    try:
        ground.prepare(log)
        began = time.monotonic()
        if ground.run(command, log) != 0:
            raise click.ClickException(f"{command} fails without faults; see {log}")
        took = time.monotonic() - began
        return ground.end()[0], took
    finally:
        ground.clear()


def _table(kind: str, rate: float, done: list[Series], without: float) -> Table:
    good = [one for one in done if not one.wrong]
    table = Table(title=f"{len(good)} of {len(done)} releases succeed in one run ({kind} faults, rate {rate})")
    for column in ("", "least", "most"):
        table.add_column(column)
    for title, values in (
        ("requests that failed", [one.failed for one in done]),
        ("updates that were repeated", [one.repeated for one in done]),
        (f"seconds ({without:.0f} without faults)", [round(one.seconds) for one in done]),
    ):
        if values:
            table.add_row(title, str(min(values)), str(max(values)))
    return table


if __name__ == "__main__":
    main()
