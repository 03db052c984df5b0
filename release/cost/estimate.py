"""Estimates the monthly cost of the resources of a preview: now, and after the update."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from release.cost.assumptions import Assumptions
from release.cost.document import Cost, CostLine
from release.cost.prices import Prices
from release.cost.quantities import Inputs, Usage, firewall, usage
from release.planned import PlannedResource

_NOT_COUNTED = (
    "Not counted: data transfer, storage transactions, disks, backups, alerts, image builds, and what other stacks or "
    "people create."
)


_Key = tuple[str, str]


@dataclass
class _Amounts:
    """The usage of one resource, at one time."""

    usages: list[Usage] = field(default_factory=list)
    region: str = ""

    def cost(self, prices: Prices) -> float | None:
        """Return the sum of what has a price, or None if nothing has one."""
        known = [
            amount * price
            for each in self.usages
            for key, amount in each.units.items()
            if (price := prices.of(self.region, key)) is not None
        ]
        return round(sum(known), 2) if known else None

    def unknown(self, prices: Prices) -> list[str]:
        """Return the meters without a price, as `<region>/<meter>`."""
        keys = [key for each in self.usages for key, amount in each.units.items() if amount]
        return [f"{self.region}/{key}" for key in keys if prices.of(self.region, key) is None]


def estimate(planned: Sequence[PlannedResource], prices: Prices, assumed: Assumptions) -> Cost:
    """Return the estimate for the resources of a preview."""
    region = _region(planned)
    before = _amounts(((each, each.before) for each in planned), region, assumed)
    after = _amounts(((each, each.after) for each in planned), region, assumed)
    lines = [
        _line(each, before.get(_key(each)), after.get(_key(each)), prices)
        for each in planned
        if _key(each) in before or _key(each) in after
    ]
    first, last = _sum(each.before for each in lines), _sum(each.after for each in lines)
    return Cost(
        currency=prices.currency,
        before=first,
        after=last,
        difference=round(last - first, 2),
        assumptions=[*assumed.sentences(), _dated(prices), _NOT_COUNTED],
        lines=sorted(lines, key=lambda line: -max(line.before or 0, line.after or 0)),
        unknown=sorted({key for each in lines for key in (*each.unknown_before, *each.unknown_after)}),
    )


def meters(planned: Sequence[PlannedResource], assumed: Assumptions) -> dict[str, set[str]]:
    """Return the meters that the resources of a preview need, by region."""
    needed: dict[str, set[str]] = {}
    region = _region(planned)
    for state in ("before", "after"):
        for each in _amounts(((each, getattr(each, state)) for each in planned), region, assumed).values():
            needed.setdefault(each.region, set()).update(key for use in each.usages for key in use.units)
    return needed


def _amounts(
    states: Iterable[tuple[PlannedResource, Inputs | None]], region: str, assumed: Assumptions
) -> dict[_Key, _Amounts]:
    """Return what each resource uses, by its key. Resources without a location are in the stack's region."""
    existing = [(resource, inputs) for resource, inputs in states if inputs is not None]
    found: dict[_Key, _Amounts] = {}
    for resource, use in (*_usages(existing, assumed), *firewall(existing)):
        amounts = found.setdefault(_key(resource), _Amounts(region=region))
        amounts.usages.append(use)
    for resource, inputs in existing:
        location = inputs.get("location")
        if _key(resource) in found and isinstance(location, str):
            found[_key(resource)].region = _named(location)
    return found


def _usages(
    existing: list[tuple[PlannedResource, Inputs]], assumed: Assumptions
) -> Iterator[tuple[PlannedResource, Usage]]:
    for resource, inputs in existing:
        use = usage(resource, inputs, assumed)
        if use is not None:
            yield resource, use


def _line(resource: PlannedResource, before: _Amounts | None, after: _Amounts | None, prices: Prices) -> CostLine:
    shown = after or before
    return CostLine(
        resource=resource.name,
        detail="; ".join(each.detail for each in shown.usages) if shown else "",
        before=before.cost(prices) if before else None,
        after=after.cost(prices) if after else None,
        unknown_before=before.unknown(prices) if before else [],
        unknown_after=after.unknown(prices) if after else [],
    )


def _sum(amounts: Iterable[float | None]) -> float:
    return round(sum(each or 0 for each in amounts), 2)


def _key(resource: PlannedResource) -> _Key:
    """Return the key of a resource. A component and a resource in it can have the same name."""
    return resource.type, resource.name


def _region(planned: Sequence[PlannedResource]) -> str:
    """Return the region of the stack: that of its resource group."""
    for each in planned:
        if each.type == "azure-native:resources:ResourceGroup":
            return _named(str((each.after or each.before or {}).get("location", "")))
    return ""


def _named(location: str) -> str:
    """Return the name of a region as the list of prices has it: `westeurope` for `West Europe` too."""
    return location.replace(" ", "").lower()


def _dated(prices: Prices) -> str:
    dates = prices.dates()
    when = "of no date" if not dates else f"of {dates[0]}" if len(dates) == 1 else f"of {dates[0]} to {dates[-1]}"
    return f"Prices are Azure's retail prices {when}, without discounts and taxes."
