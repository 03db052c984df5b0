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
        plan: what the catalogue found.
        workspace: where the assets live.
        images: environment's YAML file → `name@digest` of the image that the program built for it.
        endpoint_identity: resource id of the user-assigned identity that online endpoints act as.
        rollout: how new deployments take over; by default in one step.
        autoscale: endpoint → how its deployments scale.
        runs: pipeline → how many minutes an update waits for the job that it runs of it; others are not run.
        publish: whether the assets that are shared are registered by this stack.
        requires: what has to be there before the first asset (roles, compute).
        waiting_hint: what lets a deployment go on that waits for a model, said behind the reason.
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
        args: what the program says of all assets.
        parent: the component resource that holds them.
        made: what has become a resource so far.
    """

    args: AssetsArgs
    parent: pulumi.Resource | None = None
    made: dict[AssetId, pulumi.Resource] = field(default_factory=dict)

    def planned(self, asset: Asset, **own: Any) -> Planned:
        """Return an asset's inputs; `own` are those that only its kind has."""
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
        """Return the options that put a resource after all that `assets` need."""
        made = [self.made[id_] for id_ in sorted({id_ for asset in assets for id_ in self._needed(asset)})]
        return pulumi.ResourceOptions(parent=self.parent, depends_on=[*self.args.requires, *made])

    def _needed(self, asset: Asset) -> Iterator[AssetId]:
        """Yield what has a resource among the asset's needs; what has none (a pipeline) passes its own needs on."""
        for id_ in asset.depends_on:
            if id_ in self.made:
                yield id_
            else:
                yield from self._needed(self.args.plan[id_.kind, id_.name])
