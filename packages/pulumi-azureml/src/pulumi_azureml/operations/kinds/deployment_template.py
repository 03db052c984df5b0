"""Deployment templates of a registry: a version for each content, archived and never deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_azureml.operations.kind import Props
from pulumi_azureml.operations.versioned import VersionedOperations
from pulumi_azureml.planning import reference
from pulumi_azureml.planning.kinds import deployment_template

if TYPE_CHECKING:
    from azure.ai.ml import MLClient


class DeploymentTemplateOperations(VersionedOperations):
    """A deployment template, handled like every versioned asset."""

    planned = deployment_template.KIND
    collection = "deployment_templates"

    def upsert(self, ml: MLClient, props: Props) -> Props:
        """Create the version, or take over one. Return its id, which the client may not know right after."""
        super().upsert(ml, props)
        return {"resource_id": reference(self.name, props["name"], props["version"], props["registry"])}


OPERATIONS = DeploymentTemplateOperations()
