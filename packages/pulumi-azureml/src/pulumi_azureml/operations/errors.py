"""What goes wrong between the plan and Azure, in words that say what to do."""

from __future__ import annotations


class AssetError(Exception):
    """An asset cannot be brought to the wanted state; the message names it, the reason and the fix."""


class OwnershipError(AssetError):
    """Something of that name exists and belongs to somebody else."""


class RolloutError(AssetError):
    """A rollout was given up; what served before still serves."""
