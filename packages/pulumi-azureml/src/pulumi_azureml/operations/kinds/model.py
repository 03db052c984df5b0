"""Models: a version for each content, archived and never deleted."""

from __future__ import annotations

from pulumi_azureml.operations.versioned import VersionedOperations
from pulumi_azureml.planning.kinds import model


class ModelOperations(VersionedOperations):
    """A model, handled like every versioned asset."""

    planned = model.KIND
    collection = "models"


OPERATIONS = ModelOperations()
