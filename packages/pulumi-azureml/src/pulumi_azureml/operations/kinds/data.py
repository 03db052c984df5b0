"""Data assets: a version for each content, archived and never deleted."""

from __future__ import annotations

from pulumi_azureml.operations.versioned import VersionedOperations
from pulumi_azureml.planning.kinds import data


class DataOperations(VersionedOperations):
    """A data asset, handled like every versioned asset."""

    planned = data.KIND
    collection = "data"


OPERATIONS = DataOperations()
