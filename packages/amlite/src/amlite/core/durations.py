"""ISO 8601 durations of days and smaller, such as `PT1H30M`."""

from __future__ import annotations

import datetime as dt
import re

_DURATION = re.compile(
    r"P(?:(?P<days>\d+(?:\.\d+)?)D)?(?:T(?:(?P<hours>\d+(?:\.\d+)?)H)?(?:(?P<minutes>\d+(?:\.\d+)?)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)


def parse(text: str) -> dt.timedelta | None:
    """Return a duration's length; None if the text is not a valid duration."""
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()):
        return None
    try:
        return dt.timedelta(**{unit: float(value) for unit, value in found.groupdict(default="0").items()})
    except OverflowError:  # longer than a timedelta can be
        return None
