"""Arguments for all planned assets, and the resources created from them so far."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from pulumi_azureml.planning import Asset, AssetId, Catalogue
from pulumi_azureml.resources.places import RegistryArgs, WorkspaceArgs
from pulumi_azureml.resources.planned import Planned
from pulumi_azureml.resources.rollout import AutoscaleArgs, RolloutArgs


@dataclass(frozen=True, kw_only=True)
class AssetsArgs:
    """Arguments of `Assets`.

    Attributes:
        plan: the planned assets.
        workspace: the workspace that contains the assets.
        images: YAML file of an environment → `name@digest` of the image that the program built for it.
        endpoint_identity: the resource id of the user-assigned identity of online endpoints.
        rollout: how new deployments get traffic. The default is one step.
        autoscale: endpoint → autoscale of its deployments.
        runs: pipelines that an update runs → minutes that it waits for the job.
        publish: whether this stack registers the shared assets.
        requires: resources that must exist before the first asset, such as roles and compute.
        waiting_hint: how to unblock a deployment that waits for a model. Messages add it to the reason.
    """

    plan: Catalogue
    workspace: WorkspaceArgs
    images: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    endpoint_identity: pulumi.Input[str] | None = None
    rollout: RolloutArgs | None = None
    autoscale: Mapping[str, AutoscaleArgs] = field(default_factory=dict)
    runs: Mapping[str, int] = field(default_factory=dict)
    publish: bool = False
    requires: Sequence[pulumi.Resource] = ()
    waiting_hint: str = ""


@dataclass(frozen=True)
class Declarations:
    """Context for turning planned assets into resources.

    Attributes:
        args: the program's arguments for all assets.
        parent: the component resource that contains them.
        made: the resources created so far.
    """

    args: AssetsArgs
    parent: pulumi.Resource | None = None
    made: dict[AssetId, pulumi.Resource] = field(default_factory=dict)

    def planned(self, asset: Asset, **own: Any) -> Planned:
        """Return an asset's inputs. `own` are the inputs that only its kind has."""
        ours = self.args.workspace
        if asset.registry is None:
            return Planned.of(asset, ours, **own)
        registry = RegistryArgs(
            name=asset.registry,
            owner=ours.owner,
            adopt=ours.adopt,
            retain=ours.retain,
            config_keys=ours.config_keys,
        )
        return Planned.of(asset, registry, **own)

    def options(self, *assets: Asset) -> pulumi.ResourceOptions:
        """Return options that create a resource after everything that `assets` need."""
        made = [self.made[id_] for id_ in sorted({id_ for asset in assets for id_ in self._needed(asset)})]
        return pulumi.ResourceOptions(parent=self.parent, depends_on=[*self.args.requires, *made])

    def _needed(self, asset: Asset) -> Iterator[AssetId]:
        """Yield the resources that an asset needs. A need without a resource (a pipeline) adds those that it needs."""
        for id_ in asset.depends_on:
            if id_ in self.made:
                yield id_
            else:
                yield from self._needed(self.args.plan[id_.kind, id_.name])
