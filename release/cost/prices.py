"""The table of prices in the repository: `prices.yml`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from release.cost.meters import is_meter
from release.errors import ReleaseError

FILE = Path(__file__).parent / "prices.yml"
_HEAD = """\
# Retail prices of Azure without discounts and taxes, by region and meter. `release cost --refresh-prices` updates them.
# A meter without a price is unknown, and not free. docs/cost.md describes the keys.
"""


class Price(BaseModel):
    """The price of one unit of a meter. It is unknown if there is no amount."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    price: float | None = Field(default=None, gt=0)
    date: dt.date | None = None
    source: str | None = None


class Prices(BaseModel):
    """Prices by region and meter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    currency: str = Field(pattern="^[A-Z]{3}$")
    regions: dict[str, dict[str, Price]]

    @field_validator("regions")
    @classmethod
    def _known(cls, regions: dict[str, dict[str, Price]]) -> dict[str, dict[str, Price]]:
        wrong = [f"{region}.{key}" for region, meters in regions.items() for key in meters if not is_meter(key)]
        if wrong:
            raise ValueError(f"{', '.join(wrong)}: no such meter")
        return regions

    def of(self, region: str, key: str) -> float | None:
        """Return the price of a meter, or None if it is unknown."""
        found = self.regions.get(region, {}).get(key)
        return found.price if found else None

    def dates(self) -> list[dt.date]:
        """Return the days of the prices, the oldest first."""
        return sorted({each.date for meters in self.regions.values() for each in meters.values() if each.date})

    def with_prices(self, region: str, found: Mapping[str, Price]) -> Prices:
        """Return the table with other prices in a region."""
        return Prices(
            currency=self.currency, regions={**self.regions, region: {**self.regions.get(region, {}), **found}}
        )


def read(file: Path = FILE) -> Prices:
    """Read the table.

    Raises:
        ReleaseError: The table is wrong.
    """
    try:
        values: Any = yaml.safe_load(file.read_text("utf-8"))
        return Prices.model_validate(values)
    except (OSError, yaml.YAMLError) as error:
        raise ReleaseError(f"cannot read the prices in {file}: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise ReleaseError(
            f"{file} is wrong: {place}: {first['msg']}", fix="docs/cost.md describes the keys"
        ) from error


def write(prices: Prices, file: Path = FILE) -> None:
    """Write the table, with its meters in order."""
    values = prices.model_dump(exclude_none=True)
    values["regions"] = {region: dict(sorted(meters.items())) for region, meters in sorted(values["regions"].items())}
    file.write_text(_HEAD + yaml.safe_dump(values, sort_keys=False, width=200), "utf-8")
