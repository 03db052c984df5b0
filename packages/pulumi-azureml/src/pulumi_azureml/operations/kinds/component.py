"""Components: a version for each content, archived and never deleted."""

from __future__ import annotations

from typing import ClassVar

from pulumi_azureml.operations.versioned import VersionedOperations
from pulumi_azureml.planning.kinds import component


class ComponentOperations(VersionedOperations):
    """Everything as all versioned assets have it."""

    planned = component.KIND
    collection = "components"
    # The catalogue has it validated by the same schema; once more would take a quarter of the time of a new component.
    write_options: ClassVar = {"skip_validation": True}


OPERATIONS = ComponentOperations()
