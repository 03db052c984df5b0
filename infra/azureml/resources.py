"""The resource types. Each can be used in any Pulumi program; `assets` makes them from the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi import dynamic

from infra.azureml.provider import AzureMLProvider


@dataclass(frozen=True)
class WorkspaceArgs:
    """The workspace that a resource lives in, and the stack that owns it (`project/stack`).

    `adopt` takes over what exists under the same name and was not made by the stack.
    """

    subscription_id: pulumi.Input[str]
    resource_group: pulumi.Input[str]
    name: pulumi.Input[str]
    owner: str
    adopt: bool = False


@dataclass(frozen=True)
class AssetArgs:
    """What every resource is made of.

    Attributes:
        workspace: where it lives.
        name: its name in Azure, which is the resource's id.
        version: its version, or for what has none in Azure the beginning of its content hash.
        content_hash: SHA-256, hex, of all that makes it what it is.
        definition: CLI v2 YAML as a dictionary without metadata; paths relative to the project, references exact.
        metadata: what may change under a version: description, display_name, tags.
        path: the YAML file, for messages.
        files: path → digest of the files that belong to it, for previews.
        trees: folders in the definition, by their keys in it, and the hash of what is uploaded.
    """

    workspace: WorkspaceArgs
    name: str
    version: str
    content_hash: str
    definition: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    trees: Mapping[tuple[str | int, ...], str] = field(default_factory=dict)

    def props(self) -> dict[str, Any]:
        """Return the provider's inputs."""
        workspace = {
            "subscription_id": self.workspace.subscription_id,
            "resource_group": self.workspace.resource_group,
            "name": self.workspace.name,
        }
        return {
            "workspace": workspace,
            "owner": self.workspace.owner,
            "adopt": self.workspace.adopt,
            "name": self.name,
            "version": self.version,
            "content_hash": self.content_hash,
            "definition": dict(self.definition),
            "metadata": _metadata(self.metadata),
            "path": self.path,
            "files": dict(self.files),
            "trees": _trees(self.trees),
        }


def _metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata in the form in which Azure gives it back: nothing empty, tags of text."""
    tags = {key: str(value) for key, value in (metadata.get("tags") or {}).items()}
    return {key: value for key, value in {**metadata, "tags": tags}.items() if value}


def _trees(trees: Mapping[tuple[str | int, ...], str]) -> list[dict[str, Any]]:
    return [{"keys": list(keys), "hash": hash_} for keys, hash_ in trees.items()]


class _Asset(dynamic.Resource):
    """Outputs of every resource: `name`, `version`, `resource_id` (ARM id)."""

    name: pulumi.Output[str]
    version: pulumi.Output[str]
    resource_id: pulumi.Output[str]

    def __init__(self, kind: str, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None) -> None:
        super().__init__(AzureMLProvider(kind), name, {**props, "resource_id": None}, opts)


class Component(_Asset, module="azureml", name="Component"):
    """A component version. New content is a new version under the same resource; removal archives."""

    def __init__(self, name: str, args: AssetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("component", name, args.props(), opts)


class DataAsset(_Asset, module="azureml", name="DataAsset"):
    """A data asset version. New content is a new version under the same resource; removal archives."""

    def __init__(self, name: str, args: AssetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("data", name, args.props(), opts)


class Model(_Asset, module="azureml", name="Model"):
    """A model version from the tree. New content is a new version under the same resource; removal archives."""

    def __init__(self, name: str, args: AssetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("model", name, args.props(), opts)


class Environment(_Asset, module="azureml", name="Environment"):
    """An environment version. `image` is the `name@digest` that the stack built for a `build:` context, if it did."""

    def __init__(
        self,
        name: str,
        args: AssetArgs,
        image: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("environment", name, {**args.props(), "image": image}, opts)


class Schedule(_Asset, module="azureml", name="Schedule"):
    """A schedule with the pipeline job it starts."""

    def __init__(self, name: str, args: AssetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("schedule", name, args.props(), opts)


@dataclass(frozen=True)
class DeploymentArgs:
    """What an endpoint is to serve: a deployment's CLI v2 definition with an exact model; else as in `AssetArgs`."""

    name: str
    definition: Mapping[str, Any]
    content_hash: str
    path: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    trees: Mapping[tuple[str | int, ...], str] = field(default_factory=dict)


@dataclass(frozen=True)
class RolloutArgs:
    """How a new deployment takes over: traffic percentages in order (the last is 100), and the wait between them."""

    steps: tuple[int, ...] = (100,)
    bake_seconds: float = 0.0


class OnlineEndpoint(_Asset, module="azureml", name="OnlineEndpoint"):
    """An online endpoint, its deployment and its traffic.

    A new deployment is an update: deployed without traffic, smoke-tested with `smoke_request`, given traffic in steps;
    then the old one is deleted. A rollout that fails leaves the old one serving. Outputs: `scoring_uri`, `live`.
    """

    scoring_uri: pulumi.Output[str]
    live: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        args: AssetArgs,
        deployment: DeploymentArgs | None = None,
        identity_id: pulumi.Input[str] | None = None,
        rollout: RolloutArgs | None = None,
        smoke_request: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        from infra.azureml.kinds.endpoint import EndpointKind

        wanted = None
        if deployment is not None:
            wanted = {
                "name": deployment.name,
                "definition": dict(deployment.definition),
                "content_hash": deployment.content_hash,
                "path": deployment.path,
                "files": dict(deployment.files),
                "trees": _trees(deployment.trees),
            }
        how = rollout or RolloutArgs()
        live = EndpointKind.live_name({"deployment": wanted})
        props = {
            **args.props(),
            "deployment": wanted,
            "identity_id": identity_id,
            "rollout": {"steps": list(how.steps), "bake_seconds": how.bake_seconds},
            "smoke_request": smoke_request,
            "traffic": {live: 100} if live else {},
            "scoring_uri": None,
            "live": None,
        }
        super().__init__("endpoint", name, props, opts)
