"""The table of amlite's own surface, to which services add routes of their own."""

from __future__ import annotations

from amlite.control.address import AUDIENCE, HOST
from amlite.core.routing import Routes

ACTION = "Microsoft.Authorization/roleAssignments/write"
"""The permission that it takes. Who makes the token of a CI job here can sign in as any identity that trusts the job.

Therefore, nobody may do that who could not become such an identity anyway: a contributor may not assign roles.
"""


def control_routes() -> Routes:
    """Return an empty table, whose requests no fault is done to."""
    return Routes(HOST, audiences=frozenset({AUDIENCE}), spared=True)


def open_routes() -> Routes:
    """Return an empty table for requests without a token. No fault is done to them either."""
    return Routes(HOST, audiences=None, spared=True)
