"""Deployment templates of a registry: what its models are deployed with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

import pulumi

from pulumi_azureml.planning import CatalogueSettings
from pulumi_azureml.resources.arguments import Arguments, settings_of_registry
from pulumi_azureml.resources.kinds.environment import Environment
from pulumi_azureml.resources.places import RegistryArgs, WorkspaceArgs
from pulumi_azureml.resources.resource import Resource


@dataclass(frozen=True, kw_only=True)
class DeploymentTemplateArgs(Arguments):
    """Arguments of `DeploymentTemplate`: the keys of its CLI v2 YAML. `workspace` has to be a registry.

    Attributes:
        version: pins the version. The default is derived from the content's hash.
        display_name: a name for users. It cannot change within a version.
        deployment_template_type: `Managed`, the only type that Azure has.
        environment: a resource, or `azureml://registries/…/environments/…/versions/…`.
        environment_variables: the environment variables of the model server.
        model_mount_path: the path of the models in the container.
        instance_count: the number of instances.
        default_instance_type: the virtual machine size of a deployment that names none.
        allowed_instance_types: the sizes that a deployment may name. The default is all.
        scoring_path: the path of the model server that scores.
        scoring_port: the port of the model server.
        request_settings: `request_timeout_ms`, `max_concurrent_requests_per_instance`.
        liveness_probe: `path`, `port`, `scheme`, `method`, `initial_delay`, `period`, `timeout`, `success_threshold`,
            `failure_threshold`.
        readiness_probe: as `liveness_probe`.
        accelerator_maps: accelerators by type: `accelerator_type`, `number_of_accelerators_per_model_instance`.
    """

    kind = "deployment_template"

    version: str | None = None
    display_name: str | None = None
    deployment_template_type: Literal["Managed"] = "Managed"
    environment: Environment | str
    environment_variables: Mapping[str, str] | None = None
    model_mount_path: str | None = None
    instance_count: int = 1
    default_instance_type: str
    allowed_instance_types: Sequence[str] | None = None
    scoring_path: str
    scoring_port: int
    request_settings: Mapping[str, int] | None = None
    liveness_probe: Mapping[str, int | str] | None = None
    readiness_probe: Mapping[str, int | str] | None = None
    accelerator_maps: Sequence[Mapping[str, Any]] | None = None

    def planning_settings(self) -> CatalogueSettings:
        """Say that the template is in a registry."""
        return settings_of_registry(self.workspace)


class DeploymentTemplate(Resource, module="azureml", name="DeploymentTemplate"):
    """A deployment template version in a registry.

    New content creates a new version under the same resource and keeps the old one. Description and tags are updated in
    place. Removal archives the versions. Fails if the version belongs to another stack or has different content.
    """

    kind = "deployment_template"
    arguments = DeploymentTemplateArgs

    @overload
    def __init__(
        self, resource_name: str, args: DeploymentTemplateArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None: ...
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
        display_name: str | None = None,
        deployment_template_type: Literal["Managed"] = "Managed",
        environment: Environment | str,
        environment_variables: Mapping[str, str] | None = None,
        model_mount_path: str | None = None,
        instance_count: int = 1,
        default_instance_type: str,
        allowed_instance_types: Sequence[str] | None = None,
        scoring_path: str,
        scoring_port: int,
        request_settings: Mapping[str, int] | None = None,
        liveness_probe: Mapping[str, int | str] | None = None,
        readiness_probe: Mapping[str, int | str] | None = None,
        accelerator_maps: Sequence[Mapping[str, Any]] | None = None,
    ) -> None: ...
    def __init__(
        self,
        resource_name: str,
        args: DeploymentTemplateArgs | None = None,
        opts: pulumi.ResourceOptions | None = None,
        **values: Any,
    ) -> None:
        """Take arguments by keyword or as an object."""
        super().__init__(resource_name, args, opts, **values)


RESOURCE = DeploymentTemplate
