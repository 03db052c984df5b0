"""Environments: an image, an image with conda packages, or a Docker context that Azure ML or the program builds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self, overload

import pulumi

from pulumi_azureml.planning import Asset, Catalogue, CatalogueSettings
from pulumi_azureml.resources.arguments import Arguments
from pulumi_azureml.resources.declarations import Declarations
from pulumi_azureml.resources.places import RegistryArgs, WorkspaceArgs
from pulumi_azureml.resources.planned import Planned
from pulumi_azureml.resources.resource import Resource


@dataclass(frozen=True, kw_only=True)
class BuildContextArgs:
    """A Docker build context: a folder relative to the project, and its Dockerfile relative to the folder."""

    path: str
    dockerfile_path: str | None = None


@dataclass(frozen=True, kw_only=True)
class EnvironmentArgs(Arguments):
    """Arguments of `Environment`: the keys of its CLI v2 YAML.

    Attributes:
        version: pins the version. The default is derived from the content's hash.
        image: an image, or the base image of `conda_file`.
        conda_file: a conda file, relative to the project.
        build: a Docker context that Azure ML builds.
        inference_config: liveness, readiness and scoring routes of an image with its own server.
        os_type: `linux` or `windows`.
        built_image: `name@digest` of the image that the program built from `build`. It may be an output, because the
            version depends on the context and not on the digest.
    """

    kind = "environment"
    excluded = Arguments.excluded | {"built_image"}

    version: str | None = None
    image: str | None = None
    conda_file: str | None = None
    build: BuildContextArgs | None = None
    inference_config: Mapping[str, Any] | None = None
    os_type: str | None = None
    built_image: pulumi.Input[str] | None = None

    def planning_settings(self) -> CatalogueSettings:
        """Say whether the program builds the image. This is part of the content."""
        return replace(super().planning_settings(), build_images=self.built_image is not None)

    def planned(self, plan: Catalogue) -> Planned:
        """Add the image that the program built."""
        return replace(super().planned(plan), own={"image": self.built_image})


class Environment(Resource, module="azureml", name="Environment"):
    """An environment version.

    New content creates a new version under the same resource and keeps the old one. Description and tags are updated in
    place. Removal archives the versions. Fails if the version belongs to another stack or has different content.
    """

    kind = "environment"
    arguments = EnvironmentArgs

    @overload
    def __init__(
        self, resource_name: str, args: EnvironmentArgs, opts: pulumi.ResourceOptions | None = None
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
        image: str | None = None,
        conda_file: str | None = None,
        build: BuildContextArgs | None = None,
        inference_config: Mapping[str, Any] | None = None,
        os_type: str | None = None,
        built_image: pulumi.Input[str] | None = None,
    ) -> None: ...
    def __init__(
        self,
        resource_name: str,
        args: EnvironmentArgs | None = None,
        opts: pulumi.ResourceOptions | None = None,
        **values: Any,
    ) -> None:
        """Take arguments by keyword or as an object."""
        super().__init__(resource_name, args, opts, **values)

    @classmethod
    def declare(cls, asset: Asset, declarations: Declarations) -> Self:
        """Add the image that the program built."""
        return cls.of(asset, declarations, declarations.planned(asset, image=declarations.args.images.get(asset.path)))


RESOURCE = Environment
