"""Models from local files, a job's output or a registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

import pulumi

from pulumi_azureml.planning import CatalogueSettings
from pulumi_azureml.resources.arguments import Arguments, settings_of_registry
from pulumi_azureml.resources.places import RegistryArgs, WorkspaceArgs
from pulumi_azureml.resources.resource import Resource


@dataclass(frozen=True, kw_only=True)
class ModelArgs(Arguments):
    """Arguments of `Model`: the keys of its CLI v2 YAML.

    Attributes:
        version: pins the version. The default is derived from the content's hash.
        type: the model's format.
        path: a local path, which is uploaded; or the path of a job's output (`azureml://jobs/…/outputs/…`, `runs:/…`),
            a path in a datastore, or a model in a registry (`azureml://registries/…/models/…/versions/…`).
        flavors: the flavors of an MLflow model. The default is read from its MLmodel file.
        properties: properties that cannot change after registration, such as lineage.
        default_deployment_template: in a registry, `asset_id`: a `DeploymentTemplate` or its id. It can change within a
            version.
        allowed_deployment_templates: other templates in this form, which a deployment may name.
    """

    kind = "model"

    version: str | None = None
    type: Literal["custom_model", "mlflow_model", "triton_model"] = "custom_model"
    path: str
    flavors: Mapping[str, Any] | None = None
    properties: Mapping[str, str] | None = None
    default_deployment_template: Mapping[str, Any] | None = None
    allowed_deployment_templates: Sequence[Mapping[str, Any]] | None = None

    def planning_settings(self) -> CatalogueSettings:
        """Say whether the model is in a registry."""
        return settings_of_registry(self.workspace)


class Model(Resource, module="azureml", name="Model"):
    """A model version.

    New content creates a new version under the same resource and keeps the old one. Description and tags are updated in
    place. Removal archives the versions. Fails if the version belongs to another stack or has different content.
    """

    kind = "model"
    arguments = ModelArgs

    @overload
    def __init__(self, resource_name: str, args: ModelArgs, opts: pulumi.ResourceOptions | None = None) -> None: ...
    @overload
    def __init__(
        self,
        resource_name: str,
        *,
        opts: pulumi.ResourceOptions | None = None,
        workspace: WorkspaceArgs | RegistryArgs,
        name: str = "",
        description: pulumi.Input[str] | None = None,
        tags: Mapping[str, pulumi.Input[str]] | None = None,
        version: str | None = None,
        type: Literal["custom_model", "mlflow_model", "triton_model"] = "custom_model",
        path: str,
        flavors: Mapping[str, Any] | None = None,
        properties: Mapping[str, str] | None = None,
        default_deployment_template: Mapping[str, Any] | None = None,
        allowed_deployment_templates: Sequence[Mapping[str, Any]] | None = None,
    ) -> None: ...
    def __init__(
        self,
        resource_name: str,
        args: ModelArgs | None = None,
        opts: pulumi.ResourceOptions | None = None,
        **values: Any,
    ) -> None:
        """Take arguments by keyword or as an object."""
        super().__init__(resource_name, args, opts, **values)


RESOURCE = Model
