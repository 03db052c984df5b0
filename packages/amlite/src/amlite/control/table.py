"""The table of amlite's own surface, to which services add routes of their own."""

from __future__ import annotations

from amlite.control.address import AUDIENCE, HOST
from amlite.core.routing import Routes

ACTION = "amlite/control/action"
"""The permission that it takes, which roles that grant everything grant."""


def control_routes() -> Routes:
    """Return an empty table, whose requests no fault is done to."""
    return Routes(HOST, audiences=frozenset({AUDIENCE}), spared=True)


def open_routes() -> Routes:
    """Return an empty table for requests without a token. No fault is done to them either."""
    return Routes(HOST, audiences=None, spared=True)
