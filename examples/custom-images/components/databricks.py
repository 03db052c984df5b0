"""Databricks: a workspace, the identity with which it reaches the data lake, and the job that prepares the flights."""

from dataclasses import dataclass
from pathlib import Path

import pulumi
from pulumi_azure_native import databricks

from components.lake import PREPARED, RAW, Lake
from components.workspace_objects import WorkspaceObject
from infra.components.access import PrincipalType, assigned
from infra.platform import Platform
from infra.roles.definitions import Role
from infra.roles.propagation import waits_for_roles

_SCRIPT = Path(__file__).parents[1] / "spark" / "prepare.py"
_FILE = "/Workspace/Shared/departures/prepare.py"
_RUNTIME, _NODE = "15.4.x-scala2.12", "Standard_DS3_v2"


@dataclass(frozen=True, kw_only=True)
class DatabricksArgs:
    """Inputs of `Databricks`."""

    platform: Platform
    lake: Lake


class Databricks(pulumi.ComponentResource):
    """A premium workspace, because Unity Catalog needs one. No password and no key is stored.

    The job reads and writes the data lake as the access connector: a storage credential stands for the connector's
    identity, and an external location says where it is valid.
    Outputs: `id`, `host`, `job` (its number).
    """

    id: pulumi.Output[str]
    host: pulumi.Output[str]
    job: pulumi.Output[str]

    def __init__(self, name: str, args: DatabricksArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("custom-images:components:Databricks", name, None, opts)
        platform, lake, here = args.platform, args.lake, pulumi.ResourceOptions(parent=self)
        place, subscription = platform.place, platform.program.config.cloud.subscription_id
        base = place.names.workspace.removeprefix("mlw-")
        workspace = databricks.Workspace(
            name,
            workspace_name=f"dbw-{base}",
            resource_group_name=place.resource_group,
            location=place.location,
            compute_mode=databricks.ComputeMode.HYBRID,
            # Databricks creates this group, and deletes it with the workspace.
            managed_resource_group_id=f"/subscriptions/{subscription}/resourceGroups/rg-dbw-{base}",
            public_network_access=databricks.PublicNetworkAccess.ENABLED,
            sku=databricks.SkuArgs(name="premium"),
            tags=place.tags,
            opts=here,
        )
        connector = databricks.AccessConnector(
            f"{name}-connector",
            connector_name=f"dbac-{base}",
            resource_group_name=place.resource_group,
            location=place.location,
            identity=databricks.ManagedServiceIdentityArgs(type=databricks.ManagedServiceIdentityType.SYSTEM_ASSIGNED),
            tags=place.tags,
            opts=here,
        )
        # Spark lists, writes, renames and deletes files.
        writes = assigned(
            f"{name}-connector-{Role.STORAGE_BLOB_DATA_CONTRIBUTOR.slug}",
            subscription_id=subscription,
            scope=lake.id,
            principal=connector.identity.apply(lambda identity: str(identity.principal_id) if identity else ""),
            kind=PrincipalType.SERVICE_PRINCIPAL,
            role=Role.STORAGE_BLOB_DATA_CONTRIBUTOR.value,
            opts=here,
        )
        self.id, self.host = workspace.id, workspace.workspace_url
        credential = WorkspaceObject(
            f"{name}-credential",
            host=self.host,
            kind="storage-credential",
            name="departures",
            definition={"azure_managed_identity": {"access_connector_id": connector.id}},
            opts=here,
        )
        location = f"{name}-location"
        reachable = WorkspaceObject(
            location,
            host=self.host,
            kind="location",
            name="departures",
            definition={"url": lake.url, "credential_name": "departures"},
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[credential, writes, *lake.ready], hooks=waits_for_roles(location)
            ),
        )
        script = WorkspaceObject(
            f"{name}-script",
            host=self.host,
            kind="file",
            name=_FILE,
            definition=_SCRIPT.read_text("utf-8"),
            opts=here,
        )
        job = WorkspaceObject(
            f"{name}-job",
            host=self.host,
            kind="job",
            name="prepare-departures",
            definition={
                "max_concurrent_runs": 1,
                "tasks": [
                    {
                        "task_key": "prepare",
                        "spark_python_task": {
                            "python_file": _FILE,
                            "parameters": [
                                pulumi.Output.concat(lake.url, f"/{RAW}"),
                                pulumi.Output.concat(lake.url, f"/{PREPARED}"),
                            ],
                        },
                        "new_cluster": {
                            "spark_version": _RUNTIME,
                            "node_type_id": _NODE,
                            "num_workers": 1,
                            # A cluster of one user, which may use external locations.
                            "data_security_mode": "SINGLE_USER",
                        },
                    }
                ],
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[reachable, script]),
        )
        self.job = job.number
        self.register_outputs({"id": self.id, "host": self.host, "job": self.job})
