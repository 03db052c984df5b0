"""The command line."""

from amlite.cli.commands import main

__all__ = ["main"]
