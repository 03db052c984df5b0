"""Check within seconds whether a host can be reached."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request

SECONDS = 5.0
"""The timeout after which a host counts as unreachable."""


def answers(url: str, seconds: float = SECONDS) -> bool:
    """Whether a URL answers within a time, including name resolution and proxies."""
    result: list[bool] = []

    def ask() -> None:
        try:
            with urllib.request.urlopen(url, timeout=seconds) as response:  # noqa: S310 - a constant https URL
                result.append(response.status == 200)
        except (urllib.error.URLError, OSError, ValueError):
            result.append(False)

    thread = threading.Thread(target=ask, daemon=True, name="probe")
    thread.start()
    thread.join(seconds)
    return bool(result and result[0])
