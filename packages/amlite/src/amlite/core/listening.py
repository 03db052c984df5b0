"""Web servers with limits: every port of amlite's own that speaks HTTP listens by a runner from here."""

from __future__ import annotations

from typing import Any

from aiohttp import web

IDLE_SECONDS = 120.0


def runner(app: web.Application, *, idle: float = IDLE_SECONDS, **options: Any) -> web.AppRunner:
    """Return a runner that ends a connection without a whole request head for `idle` seconds.

    The time begins with the connection, and again with each response. Parts of a head do not prolong it.
    """
    return web.AppRunner(app, access_log=None, keepalive_timeout=idle, **options)
