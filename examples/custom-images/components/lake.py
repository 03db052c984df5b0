"""The data lake: a storage account with a hierarchical namespace, which Databricks needs for external locations."""

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import storage

import pulumi_azureml as azureml
from infra.components.access import PrincipalType, assigned
from infra.platform import Platform
from infra.roles.definitions import Role

CONTAINER, RAW, PREPARED = "departures", "raw", "prepared"
DATASTORE = "departures"


@dataclass(frozen=True, kw_only=True)
class LakeArgs:
    """Inputs of `Lake`."""

    platform: Platform


class Lake(pulumi.ComponentResource):
    """An account of its own, because the default datastores of a workspace do not support a hierarchical namespace.

    Outputs: `id`, `name`, `url` (of the container, for Spark).
    """

    id: pulumi.Output[str]
    name: pulumi.Output[str]
    url: pulumi.Output[str]
    ready: list[pulumi.Resource]

    def __init__(self, name: str, args: LakeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("custom-images:components:Lake", name, None, opts)
        platform, here = args.platform, pulumi.ResourceOptions(parent=self)
        place, program = platform.place, platform.program
        account = storage.StorageAccount(
            name,
            account_name=account_name(place.names.storage_account),
            resource_group_name=place.resource_group,
            location=place.location,
            kind=storage.Kind.STORAGE_V2,
            sku=storage.SkuArgs(name=program.settings.storage.sku.value),
            is_hns_enabled=True,
            minimum_tls_version=storage.MinimumTlsVersion.TLS1_2,
            enable_https_traffic_only=True,
            allow_blob_public_access=False,
            allow_cross_tenant_replication=False,
            allow_shared_key_access=False,
            tags=place.tags,
            opts=pulumi.ResourceOptions(parent=self, protect=place.protect, hooks=place.hooks()),
        )
        container = storage.BlobContainer(
            f"{name}-container",
            account_name=account.name,
            resource_group_name=place.resource_group,
            container_name=CONTAINER,
            public_access=storage.PublicAccess.NONE,
            opts=here,
        )
        readers: list[tuple[str, pulumi.Input[str], PrincipalType, Role]] = [
            # The steps on the cluster read the prepared table.
            (
                "cluster",
                platform.identities.principals.cluster,
                PrincipalType.SERVICE_PRINCIPAL,
                Role.STORAGE_BLOB_DATA_READER,
            ),
        ]
        if program.settings.access.deployer:
            # The user who runs the walkthrough uploads the raw flights.
            deployer = program.deployer
            readers.append(
                ("deployer", deployer.object_id, deployer.kind, Role.STORAGE_BLOB_DATA_CONTRIBUTOR),
            )
        roles = [
            assigned(
                f"{name}-{label}-{role.slug}",
                subscription_id=program.config.cloud.subscription_id,
                scope=account.id,
                principal=principal,
                kind=kind,
                role=role.value,
                opts=here,
            )
            for label, principal, kind, role in readers
        ]
        datastore = azureml.Datastore(
            f"{name}-datastore",
            azureml.DatastoreArgs(
                workspace=platform.in_workspace,
                type="azure_data_lake_gen2",
                name=DATASTORE,
                account_name=account_name(place.names.storage_account),
                filesystem=CONTAINER,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[container, platform.workspace]),
        )
        self.id, self.name = account.id, account.name
        self.url = pulumi.Output.concat("abfss://", container.name, "@", account.name, ".dfs.core.windows.net")
        self.ready = [container, datastore, *roles]
        self.register_outputs({"id": self.id, "name": self.name, "url": self.url})


def account_name(storage_account: str) -> str:
    """Return the name of the lake's account, from the name of the workspace's."""
    return f"dl{storage_account.removeprefix('st')}"
