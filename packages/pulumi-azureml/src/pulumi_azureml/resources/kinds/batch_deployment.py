"""Batch deployments: a model or a pipeline component that a batch endpoint runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, overload

import pulumi

from pulumi_azureml.planning import Asset, Catalogue
from pulumi_azureml.planning.kinds.batch_endpoint import default_deployment
from pulumi_azureml.resources.arguments import Arguments
from pulumi_azureml.resources.declarations import Declarations
from pulumi_azureml.resources.kinds.batch_endpoint import BatchEndpoint
from pulumi_azureml.resources.kinds.component import Component
from pulumi_azureml.resources.kinds.environment import Environment
from pulumi_azureml.resources.kinds.model import Model
from pulumi_azureml.resources.places import RegistryArgs, WorkspaceArgs
from pulumi_azureml.resources.planned import Planned
from pulumi_azureml.resources.resource import Resource
from pulumi_azureml.resources.scoring import CodeConfigurationArgs


@dataclass(frozen=True, kw_only=True)
class BatchDeploymentArgs(Arguments):
    """Arguments of `BatchDeployment`: the keys of its CLI v2 YAML.

    Attributes:
        endpoint_name: the endpoint, or its name.
        is_default: whether invocations without a deployment name use this one.
        type: `model`, or `pipeline` for a pipeline component.
        model: a resource, `azureml:NAME:VERSION`, or a model in a registry.
        environment: a resource or `azureml:NAME:VERSION`. An MLflow model needs none.
        code_configuration: the scoring code. An MLflow model needs none.
        compute: the cluster that the jobs run on.
        resources: `{"instance_count": …}`.
        component: the component of a pipeline deployment: a resource or `azureml:NAME:VERSION`.
        settings: settings of the mini batches (`mini_batch_size`, `output_action`, `error_threshold`, …) or of the
            pipeline (`default_compute`, `continue_on_step_failure`, …).
    """

    kind = "batch_deployment"
    excluded = Arguments.excluded | {"is_default"}

    endpoint_name: BatchEndpoint | str
    is_default: bool = True
    type: Literal["model", "pipeline"] = "model"
    model: Model | str | None = None
    environment: Environment | str | None = None
    code_configuration: CodeConfigurationArgs | None = None
    compute: str | None = None
    resources: Mapping[str, Any] | None = None
    component: Component | str | None = None
    settings: Mapping[str, Any] | None = None

    def documents(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return the deployment and its endpoint."""
        endpoint = _name_of(self.endpoint_name)
        return {
            f"batch endpoint {endpoint}": ("batch_endpoint", {"name": endpoint, "auth_mode": "aad_token"}),
            f"batch deployment {self.name}": (self.kind, {**self.definition(), "endpoint_name": endpoint}),
        }

    def planned(self, plan: Catalogue) -> Planned:
        """Return the deployment's inputs."""
        asset = plan[self.kind, f"{_name_of(self.endpoint_name)}/{self.name}"]
        # a resource of the program creates its model
        existing = asset.existing_model if isinstance(self.model, str) else None
        return Planned.of(asset, self.workspace, self.later(), is_default=self.is_default, existing_model=existing)


class BatchDeployment(Resource, module="azureml", name="BatchDeployment"):
    """A deployment of a batch endpoint.

    New content creates a new deployment beside the old one. If `is_default` is set, the new deployment becomes the
    endpoint's default. Then the old one is deleted. Removal deletes the deployment. Output: `live` (its name in Azure).
    Fails if Azure refuses the new deployment. The old one then remains the default.
    """

    kind = "batch_deployment"
    arguments = BatchDeploymentArgs

    live: pulumi.Output[str]

    @overload
    def __init__(
        self, resource_name: str, args: BatchDeploymentArgs, opts: pulumi.ResourceOptions | None = None
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
        endpoint_name: BatchEndpoint | str,
        is_default: bool = True,
        type: Literal["model", "pipeline"] = "model",
        model: Model | str | None = None,
        environment: Environment | str | None = None,
        code_configuration: CodeConfigurationArgs | None = None,
        compute: str | None = None,
        resources: Mapping[str, Any] | None = None,
        component: Component | str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None: ...
    def __init__(
        self,
        resource_name: str,
        args: BatchDeploymentArgs | None = None,
        opts: pulumi.ResourceOptions | None = None,
        **values: Any,
    ) -> None:
        """Take arguments by keyword or as an object."""
        super().__init__(resource_name, args, opts, **values)

    @classmethod
    def declare(cls, asset: Asset, declarations: Declarations) -> Self | None:
        """Add whether it is the endpoint's default, once its model exists."""
        if asset.waiting_for is not None:
            return None
        endpoint, _, name = asset.name.partition("/")
        plan = declarations.args.plan
        default = default_deployment(plan["batch_endpoint", endpoint], plan)
        own = {"is_default": default == name, "existing_model": asset.existing_model}
        return cls.of(asset, declarations, declarations.planned(asset, **own))


def _name_of(endpoint: BatchEndpoint | str) -> str:
    return endpoint if isinstance(endpoint, str) else endpoint.azure_name


RESOURCE = BatchDeployment
