"""`python -m tests.bench [NAME ...]`: measure what the project promises, each figure beside a floor or a peer."""

from __future__ import annotations

import signal
import sys

import click
from rich.console import Console
from rich.table import Table

from tests.bench import (
    assets,
    catalogue,
    comment,
    fault_matrix,
    importing,
    load,
    no_change,
    pipeline_steps,
    preparation,
    preview,
    scoring,
    start_up,
    tacos,
    trees,
    up,
)
from tests.bench.figure import Figure, show
from tests.bench.ground import Ground

BENCHES = {
    "start-up": start_up.measure,
    "catalogue": catalogue.measure,
    "import": importing.measure,
    "trees": trees.measure,
    "assets": assets.measure,
    "up": up.measure,
    "no-change": no_change.measure,
    "preview": preview.measure,
    "comment": comment.measure,
    "pipeline-steps": pipeline_steps.measure,
    "preparation": preparation.measure,
    "scoring": scoring.measure,
    "load": load.measure,
    "tacos": tacos.measure,
    "fault-matrix": fault_matrix.measure,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHES)))
@click.option("--runs", default=5, show_default=True, type=click.IntRange(min=1), help="Samples of each figure.")
def main(names: tuple[str, ...], runs: int) -> None:
    """Print a table of figures; all of them, or those of the named benchmarks.

    Figures say how this machine is today: compare the ratios, which were taken side by side.
    """
    # What they started ends with them, also when they are ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    # A file or a pipe has no width of its own.
    console = Console(width=None if sys.stdout.isatty() else 200)
    figures: list[Figure] = []
    ground = Ground(runs)
    try:
        with ground.undo:
            for name in names or BENCHES:
                console.print(f"[dim]{name} ...[/]")
                figures += BENCHES[name](ground)
    finally:  # one that breaks does not take the others' figures along
        console.print(_table(figures))


def _table(figures: list[Figure]) -> Table:
    table = Table("what", "goal", "median (range)", "beside", "median (range)", "ratio", box=None, pad_edge=False)
    for each in figures:
        ratio = "" if each.ratio is None else f"{each.ratio:.2f}"
        table.add_row(
            each.what, each.goal, show(each.ours, each.unit), each.beside, show(each.theirs, each.unit), ratio
        )
    return table


if __name__ == "__main__":
    main()
