"""Data assets: a file, a folder or an MLTable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, overload

import pulumi

from pulumi_azureml.resources.arguments import Arguments
from pulumi_azureml.resources.places import RegistryArgs, WorkspaceArgs
from pulumi_azureml.resources.resource import Resource


@dataclass(frozen=True, kw_only=True)
class DataAssetArgs(Arguments):
    """Arguments of `DataAsset`: the keys of its CLI v2 YAML.

    Attributes:
        version: pins the version. The default is derived from the content's hash.
        type: the type of `path`.
        path: a local path, which is uploaded, or a cloud path (`azureml://datastores/…`, `https://…`).
    """

    kind = "data"

    version: str | None = None
    type: Literal["uri_file", "uri_folder", "mltable"] = "uri_folder"
    path: str


class DataAsset(Resource, module="azureml", name="DataAsset"):
    """A data asset version.

    New content creates a new version under the same resource and keeps the old one. Description and tags are updated in
    place. Removal archives the versions. Fails if the version belongs to another stack or has different content.
    """

    kind = "data"
    arguments = DataAssetArgs

    @overload
    def __init__(self, resource_name: str, args: DataAssetArgs, opts: pulumi.ResourceOptions | None = None) -> None: ...
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
        type: Literal["uri_file", "uri_folder", "mltable"] = "uri_folder",
        path: str,
    ) -> None: ...
    def __init__(
        self,
        resource_name: str,
        args: DataAssetArgs | None = None,
        opts: pulumi.ResourceOptions | None = None,
        **values: Any,
    ) -> None:
        """Take arguments by keyword or as an object."""
        super().__init__(resource_name, args, opts, **values)


RESOURCE = DataAsset
