"""From the plan to resources: one resource an asset, in the order the catalogue found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi

from infra.azureml import resources
from infra.azureml.resources import AssetArgs, DeploymentArgs, RolloutArgs, WorkspaceArgs
from infra.catalogue import Asset, AssetId, Catalogue

_VERSIONED = {"component": resources.Component, "data": resources.DataAsset, "model": resources.Model}
SMOKE_REQUEST = "sample-request.json"


@dataclass(frozen=True)
class AssetsArgs:
    """Inputs of `Assets`.

    Attributes:
        plan: what the catalogue found.
        workspace: where the assets live.
        root: the project's folder.
        images: environment's YAML file → `name@digest` of the image that the stack built for it.
        endpoint_identity: resource id of the identity that endpoints act as.
        rollout: how new deployments take over.
        requires: what has to be there before the first asset (roles, compute).
    """

    plan: Catalogue
    workspace: WorkspaceArgs
    root: Path
    images: Mapping[str, pulumi.Output[str]]
    endpoint_identity: pulumi.Input[str]
    rollout: RolloutArgs
    requires: Sequence[pulumi.Resource]


class Assets(pulumi.ComponentResource):
    """Every asset of the plan. Output: `endpoints`, as the stack outputs have them."""

    endpoints: dict[str, dict[str, Any]]

    def __init__(self, name: str, args: AssetsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("azureml-platform:infra:Assets", name, None, opts)
        self._args = args
        self._made: dict[AssetId, pulumi.Resource] = {}
        self.endpoints = {}
        deployments = deployment_of_each(args.plan.of("deployment"))
        for asset in args.plan.assets:
            match asset.kind:
                case "environment":
                    self._environment(asset)
                case "schedule":
                    self._schedule(asset)
                case "endpoint":
                    pass  # after the loop: its deployment may need anything else
                case "deployment" | "pipeline":
                    pass  # a deployment is its endpoint's; a pipeline is the schedules' and the release's
                case _:
                    self._versioned(asset)
        for asset in args.plan.of("endpoint"):
            self._endpoint(asset, deployments.get(asset.name))
        self.register_outputs({})

    def _versioned(self, asset: Asset) -> None:
        self._made[asset.id] = _VERSIONED[asset.kind](_name(asset), self._common(asset), opts=self._options(asset))

    def _environment(self, asset: Asset) -> None:
        image = self._args.images.get(asset.path)
        self._made[asset.id] = resources.Environment(_name(asset), self._common(asset), image, self._options(asset))

    def _schedule(self, asset: Asset) -> None:
        self._made[asset.id] = resources.Schedule(_name(asset), self._common(asset), self._options(asset))

    def _endpoint(self, asset: Asset, deployment: Asset | None) -> None:
        wanted = None
        needs = [asset]
        if deployment is not None and deployment.waiting_for is None:
            wanted = DeploymentArgs(
                deployment.name.partition("/")[2],
                {**deployment.definition, **deployment.metadata},
                deployment.content_hash,
                deployment.path,
                deployment.files,
                _trees(deployment),
            )
            needs.append(deployment)
        request = Path(asset.path).parent / SMOKE_REQUEST
        endpoint = resources.OnlineEndpoint(
            _name(asset),
            self._common(asset),
            wanted,
            self._args.endpoint_identity,
            self._args.rollout,
            request.as_posix() if (self._args.root / request).exists() else None,
            self._options(*needs),
        )
        self._made[asset.id] = endpoint
        self.endpoints[asset.name] = {
            "kind": "online",
            "auth_mode": asset.definition.get("auth_mode", "key"),
            "scoring_uri": endpoint.scoring_uri,
            "deployment": endpoint.live.apply(lambda live: live or None),
        }

    def _common(self, asset: Asset) -> AssetArgs:
        content = {key: value for key, value in asset.definition.items() if key not in asset.metadata}
        return AssetArgs(
            workspace=self._args.workspace,
            name=asset.name,
            version=asset.version,
            content_hash=asset.content_hash,
            definition=content,
            metadata=asset.metadata,
            path=asset.path,
            files=asset.files,
            trees=_trees(asset),
        )

    def _options(self, *assets: Asset) -> pulumi.ResourceOptions:
        made = [self._made[id_] for id_ in sorted({id_ for asset in assets for id_ in self._needed(asset)})]
        return pulumi.ResourceOptions(parent=self, depends_on=[*self._args.requires, *made])

    def _needed(self, asset: Asset) -> Iterator[AssetId]:
        """Yield what has a resource among the asset's needs; what has none (a pipeline) passes its own needs on."""
        for id_ in asset.depends_on:
            if id_ in self._made:
                yield id_
            else:
                yield from self._needed(self._args.plan[id_.kind, id_.name])


def deployment_of_each(deployments: Sequence[Asset]) -> dict[str, Asset]:
    """Return each endpoint's deployment.

    Raises:
        pulumi.RunError: an endpoint has more than one; which of them is to be rolled out?
    """
    found: dict[str, Asset] = {}
    for asset in deployments:
        endpoint = asset.name.partition("/")[0]
        other = found.setdefault(endpoint, asset)
        if other is not asset:
            raise pulumi.RunError(
                f"{asset.path}: endpoint '{endpoint}' already has its deployment in {other.path}\n"
                "    fix: keep one of the two; a changed one is rolled out beside the old one by itself"
            )
    return found


def _trees(asset: Asset) -> dict[tuple[str | int, ...], str]:
    """The asset's folders: a single file is uploaded as it is."""
    return {keys: tree.hash for keys, tree in asset.trees.items() if tree.is_folder}


def _name(asset: Asset) -> str:
    return f"{asset.kind}-{asset.name}"
