"""Azure's public list of retail prices. It needs no sign-in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from release.cost.meters import chosen, query
from release.cost.prices import Price
from release.hosts.rest import Api, HostError

HOST = "https://prices.azure.com"
_PATH = "/api/retail/prices"
_VERSION = "2023-01-01-preview"


class RetailPrices:
    """The list of prices in one currency."""

    def __init__(self, currency: str, host: str = HOST) -> None:
        """Read the prices in `currency`."""
        self._currency = currency
        self._api = Api("Azure's list of prices", host, {}, _refused)

    def price(self, region: str, key: str) -> Price:
        """Return the price of a meter. It is unknown if the list does not have it.

        Raises:
            ReleaseError: The list cannot be read.
        """
        parameters = {
            "api-version": _VERSION,
            "currencyCode": f"'{self._currency}'",
            "$filter": query(key, region),
        }
        path = f"{_PATH}?{urlencode(parameters)}"
        item = chosen(key, self._items(path))
        if item is None:
            return Price()
        return Price(price=item["retailPrice"], date=datetime.now(UTC).date(), source=f"{HOST}{path}")

    def _items(self, path: str) -> Iterator[Mapping[str, Any]]:
        """Yield the items of all pages."""
        seen = set()
        while path and path not in seen:
            seen.add(path)
            page = self._api.send("GET", path).body
            if not isinstance(page, dict) or not isinstance(page.get("Items"), list):
                raise HostError("Azure's list of prices has another form than this release knows")
            yield from page["Items"]
            link = urlsplit(page.get("NextPageLink") or "")
            path = f"{link.path}?{link.query}" if link.path else ""


def _refused(status: int, message: str) -> HostError:
    return HostError(f"Azure's list of prices answered {status}: {message}", status=status)
