"""Environments: `ml/**/environment.yml`. An image, conda on an image, a Docker context, or the stack's own image."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pulumi_azureml.operations.managed import Props
from pulumi_azureml.operations.versioned import VersionedKind
from pulumi_azureml.planning import Asset
from pulumi_azureml.planning.documents import Document
from pulumi_azureml.planning.drafts import Build, Draft, source
from pulumi_azureml.planning.settings import CatalogueSettings
from pulumi_azureml.resources.resource import Arguments, Resource
from pulumi_azureml.resources.stack import Stack


@dataclass(frozen=True)
class BuildContext:
    """A Docker build context: a folder relative to the project, and its Dockerfile relative to that."""

    path: str
    dockerfile_path: str | None = None


@dataclass(frozen=True, kw_only=True)
class EnvironmentArgs(Arguments):
    """Arguments of `Environment`: the keys of its CLI v2 YAML.

    Attributes:
        version: pins the version; without it the version is the content's hash.
        image: a base image, by itself or under `conda_file`.
        conda_file: a conda file, relative to the project.
        build: a Docker context that Azure ML builds.
        inference_config: liveness, readiness and scoring routes of an image that serves by itself.
        os_type: `linux` or `windows`.
    """

    kind = "environment"

    version: str | None = None
    image: str | None = None
    conda_file: str | None = None
    build: BuildContext | None = None
    inference_config: Mapping[str, Any] | None = None
    os_type: str | None = None


class Environment(Resource[EnvironmentArgs], module="azureml", name="Environment"):
    """An environment version.

    New content is a new version under the same resource, the old one stays; description and tags are updated in place;
    removal archives. Fails when the version exists and is another stack's, or has other content.
    """

    kind = "environment"


class EnvironmentKind(VersionedKind):
    """An image, an image with a conda file, or a Docker build context, which the stack may build itself.

    Further input: `image`, the `name@digest` of the image that the stack built from the definition's `build:` context;
    None where Azure ML builds the context itself. The version covers the build's inputs; the digest is no part of it.
    """

    name = "environment"
    loader = "load_environment"
    schemas: ClassVar = {"": "assets.environment:EnvironmentSchema"}
    operations = "environments"
    resource = Environment
    significant = (*VersionedKind.significant, "image")

    def claims(self, path: str, _document: Document) -> bool:
        """Anywhere below `ml/`."""
        return path.startswith("ml/") and posixpath.basename(path) == "environment.yml"

    def collect(self, draft: Draft, settings: CatalogueSettings) -> None:
        """Note the conda file or build context, and whether the stack builds it."""
        data = draft.definition
        build = data.get("build")
        if isinstance(build, dict) and "image" in data:
            draft.problem(("image",), "'image' and 'build' exclude each other", "remove one of the two")
        elif build is None and "image" not in data:
            draft.problem(
                (), "says neither 'image' nor 'build'", "add `image:`, or `build:` with the `path:` of a Docker context"
            )
        if "conda_file" in data:
            source(draft, ("conda_file",), data["conda_file"], wanted="file", is_yaml=True)
        if not isinstance(build, dict):
            return
        if "path" not in build:
            draft.problem(("build",), "'build' has no 'path'", "add the `path:` of the Docker context")
        source(draft, ("build", "path"), build.get("path"), wanted="folder")
        # Other workspaces cannot pull from this stack's registry, so Azure ML builds what is shared.
        if settings.build_images and not draft.is_shared:
            dockerfile = str(build.get("dockerfile_path") or "Dockerfile")
            draft.build = Build(dockerfile, dict(settings.build_arguments), settings.login_server)

    def declare(self, asset: Asset, stack: Stack) -> Environment:
        """Add the image that the stack built."""
        planned = stack.planned(asset, image=stack.images.get(asset.path))
        return Environment(f"environment-{asset.name}", planned, stack.options(asset))

    def definition(self, props: Props) -> dict[str, Any]:
        """Put the stack's own image in the place of the build context."""
        definition = super().definition(props)
        if props.get("image") is not None:
            definition.pop("build", None)
            definition["image"] = props["image"]
        return definition


KIND = EnvironmentKind()
