"""Components: a version for each content, archived and never deleted."""

from __future__ import annotations

from typing import ClassVar

from pulumi_azureml.operations.versioned import VersionedOperations
from pulumi_azureml.planning.kinds import component


class ComponentOperations(VersionedOperations):
    """A component, handled like every versioned asset."""

    planned = component.KIND
    collection = "components"
    # The catalogue validated it with the same schema: repeating that takes a quarter of a new component's time.
    write_options: ClassVar = {"skip_validation": True}


OPERATIONS = ComponentOperations()
