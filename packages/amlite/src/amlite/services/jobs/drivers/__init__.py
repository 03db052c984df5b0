"""Programs that run in a job's environment. They do not use amlite, which may not be installed there."""

from __future__ import annotations

from pathlib import Path


def path(name: str) -> Path:
    """Return a driver's file."""
    return Path(__file__).with_name(f"{name}.py")
