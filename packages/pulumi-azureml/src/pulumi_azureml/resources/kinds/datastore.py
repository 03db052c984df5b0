"""Datastores: a name for a storage account's container."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, overload

import pulumi

from pulumi_azureml.resources.arguments import Arguments
from pulumi_azureml.resources.places import RegistryArgs, WorkspaceArgs
from pulumi_azureml.resources.resource import Resource


@dataclass(frozen=True, kw_only=True)
class DatastoreArgs(Arguments):
    """Arguments of `Datastore`: the keys of its CLI v2 YAML. Credentials are deliberately not accepted.

    Attributes:
        type: the type of storage.
        account_name: the storage account.
        container_name: the container of an `azure_blob`.
        filesystem: the file system of an `azure_data_lake_gen2`.
        file_share_name: the file share of an `azure_file`.
        endpoint: the storage suffix of the cloud. The default is `core.windows.net`.
        protocol: the default is `https`.
    """

    kind = "datastore"

    type: Literal["azure_blob", "azure_data_lake_gen2", "azure_file"] = "azure_blob"
    account_name: str
    container_name: str | None = None
    filesystem: str | None = None
    file_share_name: str | None = None
    endpoint: str | None = None
    protocol: Literal["https", "wasbs", "abfss"] | None = None


class Datastore(Resource, module="azureml", name="Datastore"):
    """A datastore with identity-based access. Readers need a role on the storage account. No key is stored.

    Description and tags are updated in place. The preview refuses a change of the storage, as the service does: every
    data asset and job that uses the datastore would silently read other data. Removal deletes the datastore but not its
    data. Fails if a datastore of that name belongs to another stack or refers to other storage.
    """

    kind = "datastore"
    arguments = DatastoreArgs

    @overload
    def __init__(self, resource_name: str, args: DatastoreArgs, opts: pulumi.ResourceOptions | None = None) -> None: ...
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
        type: Literal["azure_blob", "azure_data_lake_gen2", "azure_file"] = "azure_blob",
        account_name: str,
        container_name: str | None = None,
        filesystem: str | None = None,
        file_share_name: str | None = None,
        endpoint: str | None = None,
        protocol: Literal["https", "wasbs", "abfss"] | None = None,
    ) -> None: ...
    def __init__(
        self,
        resource_name: str,
        args: DatastoreArgs | None = None,
        opts: pulumi.ResourceOptions | None = None,
        **values: Any,
    ) -> None:
        """Take arguments by keyword or as an object."""
        super().__init__(resource_name, args, opts, **values)


RESOURCE = Datastore
