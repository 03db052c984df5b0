"""The estimate for a preview, with the table and the assumptions of the repository."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console

from release.cost import assumptions, prices
from release.cost.document import Cost, amount
from release.cost.estimate import estimate
from release.planned import PlannedResource


def estimated(planned: Sequence[PlannedResource], given: Mapping[str, str] | None = None) -> Cost:
    """Return the estimate for the resources of a preview. `given` has other values of assumptions."""
    return estimate(planned, prices.read(), assumptions.read(given))


def headline(cost: Cost) -> str:
    """Return the sums in one line."""
    missing = f", without {len(cost.unknown)} unknown prices" if cost.unknown else ""
    return f"{cost.before:.2f} → {cost.after:.2f} {cost.currency} a month ({cost.difference:+.2f}){missing}"


def show(console: Console, cost: Cost) -> None:
    """Print the estimate with its lines and assumptions."""
    width = max([len(line.resource) for line in cost.lines], default=0)
    for line in cost.lines:
        before = amount(line.before, line.unknown_before) or "-"
        after = amount(line.after, line.unknown_after) or "-"
        console.print(f"{line.resource:<{width}}  {before:>10} → {after:<10}  {line.detail}", highlight=False)
    console.print(f"\n{headline(cost)}", highlight=False)
    for text in cost.assumptions:
        console.print(f"  {text}", highlight=False, soft_wrap=True)
    for key in cost.unknown:
        console.print(f"  unknown price: {key}", highlight=False, soft_wrap=True)
