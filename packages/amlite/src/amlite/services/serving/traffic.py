"""An endpoint's traffic: reading, checking and distributing it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, MutableMapping
from typing import Any

from amlite.core.errors import AzureError

MOST_MIRRORED = 50
"""The largest share of requests, in percent, that Azure copies."""


def checked(traffic: Mapping[str, Any] | None, deployments: Collection[str]) -> dict[str, int]:
    """Return traffic rules in the deployments' spelling. Raises AzureError 400 for rules that Azure refuses.

    Percentages sum to 0 or 100 and name deployments of the endpoint.
    """
    spelt = {name.lower(): name for name in deployments}
    rules: dict[str, int] = {}
    for name, percent in (traffic or {}).items():
        if name.lower() not in spelt:
            known = f"there are: {', '.join(sorted(deployments))}" if deployments else "it has none"
            raise AzureError(
                400, "BadArgument", f"properties.traffic: the endpoint has no deployment '{name}'; {known}."
            )
        if not 0 <= int(percent) <= 100:
            raise AzureError(400, "BadArgument", f"properties.traffic.{name}: {percent} is not between 0 and 100.")
        rules[spelt[name.lower()]] = int(percent)
    total = sum(rules.values())
    if total not in (0, 100):
        raise AzureError(400, "BadArgument", f"properties.traffic: percentages must sum to 0 or 100, not {total}.")
    return rules


def mirrored(
    mirror: Mapping[str, Any] | None, rules: Mapping[str, int], deployments: Collection[str]
) -> dict[str, int]:
    """Return the rule for copied requests in the deployment's spelling. AzureError 400 for rules that Azure refuses.

    One deployment, which has no live traffic, gets at most 50 % of the requests.
    """
    spelt = {name.lower(): name for name in deployments}
    found: dict[str, int] = {}
    for name, percent in (mirror or {}).items():
        where = f"properties.mirrorTraffic.{name}"
        if name.lower() not in spelt:
            raise AzureError(400, "BadArgument", f"{where}: the endpoint has no deployment '{name}'.")
        if not 0 <= int(percent) <= MOST_MIRRORED:
            raise AzureError(400, "BadArgument", f"{where}: {percent} is not between 0 and {MOST_MIRRORED}.")
        if int(percent) and rules.get(spelt[name.lower()]):
            raise AzureError(
                400, "BadArgument", f"{where}: a deployment receives live traffic or mirrored traffic, not both."
            )
        found[spelt[name.lower()]] = int(percent)
    if len(found) > 1:
        raise AzureError(400, "BadArgument", "properties.mirrorTraffic: one deployment at most receives copies.")
    return found


def pick(rules: Mapping[str, int], credit: MutableMapping[str, int]) -> str | None:
    """Choose the deployment of the next request. Return None if none has traffic.

    Every deployment gets exactly its share of any hundred requests, evenly distributed. Each gains its percentage as
    credit. The one with the highest credit is chosen and pays 100. Calls share `credit`, which restarts with new rules.
    """
    shares = {name: percent for name, percent in rules.items() if percent > 0}
    if not shares:
        return None
    if set(credit) != set(shares):
        credit.clear()
        credit.update(dict.fromkeys(shares, 0))
    for name, percent in shares.items():
        credit[name] += percent
    chosen = max(sorted(credit), key=lambda name: credit[name])
    credit[chosen] -= sum(shares.values())
    return chosen
