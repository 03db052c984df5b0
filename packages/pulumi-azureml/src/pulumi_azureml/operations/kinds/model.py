"""Models: a version for each content, archived and never deleted."""

from __future__ import annotations

from typing import Any

from pulumi_azureml.operations.kind import Props
from pulumi_azureml.operations.versioned import VersionedOperations
from pulumi_azureml.planning.kinds import model
from pulumi_azureml.planning.templates import ALLOWED, DEFAULT


class ModelOperations(VersionedOperations):
    """A model, handled like every versioned asset. In a registry, its deployment templates are metadata too."""

    planned = model.KIND
    collection = "models"

    def _observed(self, existing: Any, metadata: Props) -> Props:
        default, allowed = getattr(existing, DEFAULT, None), getattr(existing, ALLOWED, None)
        there = {
            DEFAULT: {"asset_id": default.asset_id} if default else None,
            ALLOWED: [{"asset_id": each.asset_id} for each in allowed or ()],
        }
        found = {**super()._observed(existing, metadata), **there}
        return {key: value for key, value in found.items() if value}

    def _describe(self, existing: Any, wanted: Props) -> None:
        from azure.ai.ml.entities import DeploymentTemplateReference

        super()._describe(existing, wanted)
        default, allowed = wanted.get(DEFAULT), wanted.get(ALLOWED)
        existing.default_deployment_template = DeploymentTemplateReference(**default) if default else None
        existing.allowed_deployment_templates = [DeploymentTemplateReference(**each) for each in allowed or ()]


OPERATIONS = ModelOperations()
