"""The meters that Azure bills, and how to find each in the public list of retail prices.

A meter has a key such as `vm/Standard_DS3_v2` or `logs`. Names and filters are those of the API:
https://learn.microsoft.com/rest/api/cost-management/retail-prices/azure-retail-prices
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class MeterKind:
    """A kind of meter. In the conditions, `{}` is what follows the `/` of the key.

    Attributes:
        service: `serviceName` in the list of prices.
        unit: `unitOfMeasure` in the list of prices.
        where: Further fields and their values. With several, a meter has one of them.
        words: Words that the names of the product, the SKU and the meter must have.
        without: Words that they must not have.
        everywhere: Whether the list may have one price for all regions.
    """

    service: str
    unit: str
    where: Mapping[str, str | tuple[str, ...]]
    words: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    everywhere: bool = False


_VM = {"armSkuName": "{}"}
# In some regions, the list has locally redundant storage of version 2 accounts as "Blob Storage", at the same price.
_BLOBS = ("General Block Blob v2", "Blob Storage")
_EVERYWHERE = "Global"

KINDS: Mapping[str, MeterKind] = {
    "vm": MeterKind("Virtual Machines", "1 Hour", _VM, without=("Windows", "Spot", "Low Priority", "Cloud Services")),
    "vm-low-priority": MeterKind(
        "Virtual Machines", "1 Hour", _VM, ("Low Priority",), without=("Windows", "Cloud Services")
    ),
    "registry": MeterKind("Container Registry", "1/Day", {"skuName": "{}", "meterName": "{} Registry Unit"}),
    "storage": MeterKind("Storage", "1 GB/Month", {"productName": _BLOBS, "meterName": "Hot {} Data Stored"}),
    "logs": MeterKind("Log Analytics", "1 GB", {"meterName": "Analytics Logs Data Ingestion"}),
    "vault": MeterKind(
        "Key Vault", "10K", {"productName": "Key Vault", "skuName": "Standard", "meterName": "Operations"}
    ),
    "private-endpoint": MeterKind(
        "Virtual Network", "1 Hour", {"meterName": "Standard Private Endpoint"}, everywhere=True
    ),
    "firewall": MeterKind("Azure Firewall", "1 Hour", {"skuName": "{}", "meterName": "{} Deployment"}),
}


def query(key: str, region: str) -> str:
    """Return the filter that finds a meter in the list of prices."""
    kind, name = _parts(key)
    conditions: dict[str, str | tuple[str, ...]] = {
        "serviceName": kind.service,
        "armRegionName": (region, _EVERYWHERE) if kind.everywhere else region,
        "priceType": "Consumption",
        **kind.where,
    }
    return " and ".join(_condition(field, value, name) for field, value in conditions.items())


def _condition(field: str, value: str | tuple[str, ...], name: str) -> str:
    if isinstance(value, str):
        return f"{field} eq '{value.format(name)}'"
    return f"({' or '.join(_condition(field, each, name) for each in value)})"


def chosen(key: str, items: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the item that bills a meter, or None if there is none.

    Of several tiers, this is the first that costs something: the estimates are far below the next one.
    """
    kind, _ = _parts(key)
    fitting = [
        each
        for each in items
        if each.get("unitOfMeasure") == kind.unit
        and each.get("type", "Consumption") == "Consumption"
        and all(word in _names(each) for word in kind.words)
        and not any(word in _names(each) for word in kind.without)
        and float(each.get("retailPrice") or 0) > 0
    ]
    return min(fitting, key=lambda each: float(each.get("tierMinimumUnits") or 0), default=None)


def is_meter(key: str) -> bool:
    """Whether a key names a meter."""
    kind, _, name = key.partition("/")
    return kind in KINDS and bool(name) == any(
        "{}" in each for each in KINDS[kind].where.values() if isinstance(each, str)
    )


def _parts(key: str) -> tuple[MeterKind, str]:
    kind, _, name = key.partition("/")
    return KINDS[kind], name


def _names(item: Mapping[str, Any]) -> str:
    return " ".join(str(item.get(field, "")) for field in ("productName", "skuName", "meterName"))
