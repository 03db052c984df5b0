"""What a planned asset has to know of its stack to become a resource."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi

from pulumi_azureml.planning import Asset, AssetId, Catalogue
from pulumi_azureml.resources.resource import Planned, RegistryArgs, WorkspaceArgs
from pulumi_azureml.resources.rollout import AutoscaleArgs, RolloutArgs


@dataclass(frozen=True)
class Stack:
    """A stack's side of its assets.

    Attributes:
        plan: what the catalogue found.
        workspace: where the assets live.
        root: the project's folder.
        images: environment's YAML file → `name@digest` of the image that the stack built for it.
        endpoint_identity: resource id of the identity that endpoints act as.
        rollout: how new deployments take over.
        requires: what has to be there before the first asset (roles, compute).
        autoscale: endpoint → how its deployments scale.
        runs: pipeline → how many minutes an update waits for the job that it runs of it; others are not run.
        publish: whether the assets that are shared are registered by this stack.
        parent: the component resource that holds them.
        made: what has become a resource so far.
    """

    plan: Catalogue
    workspace: WorkspaceArgs
    root: Path
    images: Mapping[str, pulumi.Output[str]]
    endpoint_identity: pulumi.Input[str]
    rollout: RolloutArgs
    requires: Sequence[pulumi.Resource]
    autoscale: Mapping[str, AutoscaleArgs] = field(default_factory=dict)
    runs: Mapping[str, int] = field(default_factory=dict)
    publish: bool = False
    parent: pulumi.Resource | None = None
    made: dict[AssetId, pulumi.Resource] = field(default_factory=dict)

    def planned(self, asset: Asset, **own: Any) -> Planned:
        """Return an asset's inputs; `own` are those that only its kind has."""
        if asset.registry is None:
            return Planned.of(asset, self.workspace, **own)
        ours = self.workspace
        return Planned.of(asset, RegistryArgs(asset.registry, ours.owner, ours.adopt, retain=ours.retain), **own)

    def options(self, *assets: Asset) -> pulumi.ResourceOptions:
        """Return the options that put a resource after all that `assets` need."""
        made = [self.made[id_] for id_ in sorted({id_ for asset in assets for id_ in self._needed(asset)})]
        return pulumi.ResourceOptions(parent=self.parent, depends_on=[*self.requires, *made])

    def _needed(self, asset: Asset) -> Iterator[AssetId]:
        """Yield what has a resource among the asset's needs; what has none (a pipeline) passes its own needs on."""
        for id_ in asset.depends_on:
            if id_ in self.made:
                yield id_
            else:
                yield from self._needed(self.plan[id_.kind, id_.name])
