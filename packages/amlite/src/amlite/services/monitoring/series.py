"""The values of a metric over time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Series:
    """Values of one combination of dimensions: by the start of the interval, by aggregation. Empty without data."""

    dimensions: dict[str, str]
    points: dict[dt.datetime, Mapping[str, float]]

    @property
    def mean(self) -> float:
        """The mean of the averages."""
        known = [point["average"] for point in self.points.values() if point]
        return sum(known) / len(known) if known else 0.0
