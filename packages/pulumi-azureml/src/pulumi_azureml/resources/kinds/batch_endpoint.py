"""Batch endpoints, which start batch jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, overload

import pulumi

from pulumi_azureml.resources.arguments import Arguments
from pulumi_azureml.resources.places import RegistryArgs, WorkspaceArgs
from pulumi_azureml.resources.resource import Resource


@dataclass(frozen=True, kw_only=True)
class BatchEndpointArgs(Arguments):
    """Arguments of `BatchEndpoint`: the keys of its CLI v2 YAML.

    Attributes:
        auth_mode: batch endpoints accept Microsoft Entra tokens only.
    """

    kind = "batch_endpoint"

    auth_mode: Literal["aad_token"] = "aad_token"


class BatchEndpoint(Resource, module="azureml", name="BatchEndpoint"):
    """A batch endpoint. Its deployments are separate resources; the default one sets `is_default`.

    Updates are in place. Removal deletes the endpoint. Output: `scoring_uri` (the URI that starts jobs). Fails if an
    endpoint of that name belongs to another stack.
    """

    kind = "batch_endpoint"
    arguments = BatchEndpointArgs

    scoring_uri: pulumi.Output[str]

    @overload
    def __init__(
        self, resource_name: str, args: BatchEndpointArgs, opts: pulumi.ResourceOptions | None = None
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
        auth_mode: Literal["aad_token"] = "aad_token",
    ) -> None: ...
    def __init__(
        self,
        resource_name: str,
        args: BatchEndpointArgs | None = None,
        opts: pulumi.ResourceOptions | None = None,
        **values: Any,
    ) -> None:
        """Take arguments by keyword or as an object."""
        super().__init__(resource_name, args, opts, **values)


RESOURCE = BatchEndpoint
