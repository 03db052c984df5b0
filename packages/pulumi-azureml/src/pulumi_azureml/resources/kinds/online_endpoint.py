"""Online endpoints: one resource owns an endpoint, its deployment and its traffic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self, overload

import pulumi

from pulumi_azureml.planning import Asset, Catalogue
from pulumi_azureml.planning.deployments import SMOKE_REQUEST, azure_name
from pulumi_azureml.planning.project import project_root
from pulumi_azureml.resources.arguments import Arguments, plain
from pulumi_azureml.resources.declarations import Declarations
from pulumi_azureml.resources.kinds.online_deployment import OnlineDeploymentArgs
from pulumi_azureml.resources.places import RegistryArgs, WorkspaceArgs
from pulumi_azureml.resources.planned import Planned, hashes, outside, overridden, trees
from pulumi_azureml.resources.resource import Resource
from pulumi_azureml.resources.rollout import AutoscaleArgs, ChecksArgs, RolloutArgs


@dataclass(frozen=True, kw_only=True)
class OnlineEndpointArgs(Arguments):
    """Arguments of `OnlineEndpoint`: the keys of its CLI v2 YAML, its deployment and the rollout.

    Attributes:
        auth_mode: how callers authenticate.
        compute: the attached Kubernetes cluster of a Kubernetes endpoint.
        identity: `{"type": "user_assigned", "user_assigned_identities": [{"resource_id": …}]}`.
        public_network_access: `enabled` or `disabled`.
        identity_id: the id of a user-assigned identity, instead of `identity`. It may be an output.
        deployment: the deployment. With None, the endpoint has no deployment yet.
        rollout: how a new deployment gets traffic. The default is one step.
        smoke_request: a JSON file relative to the project, sent to a new deployment before it gets traffic.
        autoscale: autoscale of a managed endpoint. `instance_count` is then the initial number of instances.
    """

    kind = "online_endpoint"
    excluded = Arguments.excluded | {"identity_id", "deployment", "rollout", "smoke_request", "autoscale"}

    auth_mode: Literal["key", "aml_token", "aad_token"] = "key"
    compute: str | None = None
    identity: Mapping[str, Any] | None = None
    public_network_access: Literal["enabled", "disabled"] | None = None
    identity_id: pulumi.Input[str] | None = None
    deployment: OnlineDeploymentArgs | None = None
    rollout: RolloutArgs | None = None
    smoke_request: str | None = None
    autoscale: AutoscaleArgs | None = None

    def documents(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return the endpoint and its deployment."""
        documents = super().documents()
        if self.deployment is not None:
            definition = self.written("deployment", self.deployment)
            definition |= {**definition.pop("extra", {}), "endpoint_name": self.name}
            # Without a slash, because local paths would be relative to the part before it.
            name = f"online deployment {self.deployment.name} of {self.name}"
            documents[name] = ("online_deployment", definition)
        return documents

    def planned(self, plan: Catalogue) -> Planned:
        """Return the inputs of both."""
        deployment = next(iter(plan.of("online_deployment")), None)
        own = _own_inputs(deployment, self.identity_id, self.rollout, self.smoke_request, self.autoscale)
        if self.deployment is not None and not isinstance(self.deployment.model, str):
            own["existing_model"] = None  # a resource of the program creates it
        return replace(super().planned(plan), own=own)


class OnlineEndpoint(Resource, module="azureml", name="OnlineEndpoint"):
    """An online endpoint, its deployment and its traffic.

    An update creates a new deployment without traffic, smoke-tests it, and gives it traffic in steps. The old one is
    then deleted. Outputs: `scoring_uri`, `live` (the deployment that has the traffic, or an empty string). Fails if the
    deployment does not start or fails a test. The previous deployment then still has the traffic.
    """

    kind = "online_endpoint"
    arguments = OnlineEndpointArgs
    prefix = "endpoint"  # the name in states of versions before 0.3.0

    scoring_uri: pulumi.Output[str]
    live: pulumi.Output[str]

    @overload
    def __init__(
        self, resource_name: str, args: OnlineEndpointArgs, opts: pulumi.ResourceOptions | None = None
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
        auth_mode: Literal["key", "aml_token", "aad_token"] = "key",
        compute: str | None = None,
        identity: Mapping[str, Any] | None = None,
        public_network_access: Literal["enabled", "disabled"] | None = None,
        identity_id: pulumi.Input[str] | None = None,
        deployment: OnlineDeploymentArgs | None = None,
        rollout: RolloutArgs | None = None,
        smoke_request: str | None = None,
        autoscale: AutoscaleArgs | None = None,
    ) -> None: ...
    def __init__(
        self,
        resource_name: str,
        args: OnlineEndpointArgs | None = None,
        opts: pulumi.ResourceOptions | None = None,
        **values: Any,
    ) -> None:
        """Take arguments by keyword or as an object."""
        super().__init__(resource_name, args, opts, **values)

    @classmethod
    def declare(cls, asset: Asset, declarations: Declarations) -> Self:
        """Add the deployment, once its model exists, and the rollout."""
        args = declarations.args
        deployment = next((each for each in args.plan.of("online_deployment") if each.id in asset.depends_on), None)
        served = deployment if deployment is not None and deployment.waiting_for is None else None
        request = Path(asset.path).parent / SMOKE_REQUEST
        smoke_request = request.as_posix() if (project_root() / request).exists() else None
        own = _own_inputs(served, args.endpoint_identity, args.rollout, smoke_request, args.autoscale.get(asset.name))
        return cls.of(asset, declarations, declarations.planned(asset, **own))


def _own_inputs(
    deployment: Asset | None,
    identity_id: pulumi.Input[str] | None,
    rollout: RolloutArgs | None,
    smoke_request: str | None,
    scaling: AutoscaleArgs | None,
) -> dict[str, Any]:
    wanted: dict[str, Any] | None = None
    if deployment is not None:
        wanted = {
            "name": deployment.name.partition("/")[2],
            "definition": {**deployment.definition, **deployment.metadata},
            "content_hash": deployment.content_hash,
            "path": deployment.path,
            "files": dict(deployment.files),
            "trees": trees(hashes(deployment)),
        }
    replaced = deployment.overridden if deployment is not None else {}
    live = azure_name(wanted["name"], wanted["content_hash"]) if wanted is not None else None
    rollout = rollout or RolloutArgs()
    how: dict[str, Any] = {"steps": list(rollout.steps), "bake_seconds": rollout.bake_seconds}
    if rollout.checks != ChecksArgs():
        how["checks"] = plain(rollout.checks)
    return {
        "deployment": wanted,
        "identity_id": identity_id,
        "rollout": how,
        "smoke_request": smoke_request,
        "traffic": {live: 100} if live else {},
        "autoscale": plain(scaling) if scaling is not None else None,
        "existing_model": deployment.existing_model if deployment is not None else None,
        "overridden": overridden({f"deployment.{key}": each for key, each in replaced.items()}),
        **({"outside": outside(deployment)} if deployment is not None and deployment.outside else {}),
    }


RESOURCE = OnlineEndpoint
