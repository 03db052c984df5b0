"""Programs that run in a job's environment. They do not use amlite, which may not be installed there."""

from __future__ import annotations

from pathlib import Path


def path(name: str) -> Path:
    """Return the file of a driver that is a module."""
    return Path(__file__).with_name(f"{name}.py")


def folder(name: str) -> Path:
    """Return the folder of a driver that is a package."""
    return Path(__file__).with_name(name)
