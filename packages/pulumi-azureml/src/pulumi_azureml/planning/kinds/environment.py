"""Environments: `ml/**/environment.yml`. An image, an image with conda packages, or a Docker context."""

from __future__ import annotations

import posixpath
import re
from typing import ClassVar

from pulumi_azureml.planning.drafts import Build, Draft, source
from pulumi_azureml.planning.kind import Kind
from pulumi_azureml.planning.settings import CatalogueSettings


class EnvironmentKind(Kind):
    """An image, an image with a conda file, or a Docker build context, which the stack can build itself.

    If the stack builds the image, the version depends on the inputs of the build and not on the image's digest.
    """

    name = "environment"
    loader = "load_environment"
    schemas: ClassVar = {"": "assets.environment:EnvironmentSchema"}
    versioned = True

    def claims(self, path: str) -> bool:
        """Claim files anywhere below `ml/`."""
        return path.startswith("ml/") and posixpath.basename(path) == "environment.yml"

    def collect(self, draft: Draft, settings: CatalogueSettings) -> None:
        """Collect the conda file or build context, and whether the stack builds it."""
        data = draft.definition
        build = data.get("build")
        if isinstance(build, dict) and "image" in data:
            draft.problem(("image",), "'image' and 'build' exclude each other", "remove one of the two")
        elif build is None and "image" not in data:
            draft.problem(
                (), "says neither 'image' nor 'build'", "add `image:`, or `build:` with the `path:` of a Docker context"
            )
        image = data.get("image")
        if isinstance(image, str) and re.search(r"\s", image):
            draft.problem(("image",), f"'{image}' is not the name of an image", "write it without spaces")
        if "conda_file" in data:
            source(draft, ("conda_file",), data["conda_file"], wanted="file", is_yaml=True)
        if not isinstance(build, dict):
            return
        if "path" not in build:
            draft.problem(("build",), "'build' has no 'path'", "add the `path:` of the Docker context")
        dockerfile = posixpath.normpath(str(build.get("dockerfile_path") or "Dockerfile"))
        source(draft, ("build", "path"), build.get("path"), wanted="folder", dockerfile=dockerfile)
        # Other workspaces cannot pull from this stack's registry, so Azure ML builds shared environments.
        builds = settings.build_images and not draft.is_shared
        if builds and isinstance(build.get("path"), str) and build["path"].strip():
            draft.build = Build(dockerfile, dict(settings.build_arguments), settings.login_server)


KIND = EnvironmentKind()
