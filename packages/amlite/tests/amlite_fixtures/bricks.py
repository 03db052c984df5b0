"""A Databricks workspace with a data lake, for tests that run jobs in it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from amlite import SUBSCRIPTION_ID
from amlite.testing import Workspace
from amlite_fixtures import events
from amlite_fixtures.azure import GROUP, SUBSCRIPTION, Json

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient
    from databricks.sdk import WorkspaceClient

LAKE = f"dl{uuid.uuid4().hex[:12]}"
FOLDER = "/Workspace/Shared/flights"
CLUSTER = {"spark_version": "15.4.x-scala2.12", "node_type_id": "Standard_DS3_v2", "num_workers": 1}


@dataclass
class Bricks:
    """A Databricks workspace, its client, its connector, and a container of the account that the connector reaches."""

    workspace: Workspace
    id: str
    host: str
    client: WorkspaceClient
    container: ContainerClient
    lake: str


@contextmanager
def bricks(workspace: Workspace) -> Iterator[Bricks]:
    """Create a workspace, and delete it at the end."""
    from azure.identity import DefaultAzureCredential
    from azure.mgmt.databricks import AzureDatabricksManagementClient
    from azure.storage.blob import ContainerClient
    from databricks.sdk import WorkspaceClient

    azure, name = workspace.azure, f"dbw-{uuid.uuid4().hex[:8]}"
    with AzureDatabricksManagementClient(DefaultAzureCredential(), SUBSCRIPTION_ID) as management:
        managed = f"{SUBSCRIPTION}/resourceGroups/rg-{name}-managed"
        body = {"location": "westeurope", "sku": {"name": "premium"}}
        body["properties"] = {"managedResourceGroupId": managed, "computeMode": "Hybrid"}
        made = management.workspaces.begin_create_or_update(GROUP, name, body).result()
        assert azure.arm("GET", managed, version="2021-04-01").json()["managedBy"] == made.id
        connector = management.access_connectors.begin_create_or_update(
            GROUP, f"{name}-connector", {"location": "westeurope", "identity": {"type": "SystemAssigned"}}
        ).result()
        account = events.provider(workspace, f"Microsoft.Storage/storageAccounts/{LAKE}")
        sku = {"name": "Standard_LRS"}
        lake_body = {"location": "westeurope", "kind": "StorageV2", "sku": sku, "properties": {"isHnsEnabled": True}}
        azure.put(account, lake_body, events.STORAGE)
        azure.assign("Storage Blob Data Contributor", account, str(connector.identity.principal_id))
        host = str(made.properties.workspace_url)
        client = WorkspaceClient(
            host=f"https://{host}",
            azure_workspace_resource_id=made.id,
            azure_client_id=os.environ["AZURE_CLIENT_ID"],
            azure_client_secret=os.environ["AZURE_CLIENT_SECRET"],
            azure_tenant_id=os.environ["AZURE_TENANT_ID"],
            auth_type="azure-client-secret",
        )
        lake = f"abfss://lake@{LAKE}.dfs.core.windows.net"
        client.storage_credentials.create("lake", azure_managed_identity=managed_identity(str(connector.id)))
        client.external_locations.create("lake", f"{lake}/flights", "lake")
        writer = azure.application(("Storage Blob Data Contributor", account))
        url = f"https://{LAKE}.blob.core.windows.net"
        with ContainerClient(url, "lake", writer) as container:
            container.create_container()
            container.upload_blob("flights/raw/flights.csv", b"carrier,delay\nAA,10\nAA,20\nUA,5\n")
            client.workspace.mkdirs(FOLDER)
            yield Bricks(workspace, str(made.id), host, client, container, lake)
            container.delete_container()
        azure.remove(account, events.STORAGE)
        management.workspaces.begin_delete(GROUP, name).result()
        management.access_connectors.begin_delete(GROUP, f"{name}-connector").result()
        assert azure.arm("GET", managed, version="2021-04-01").status_code == 404


def managed_identity(connector: str) -> Any:
    from databricks.sdk.service.catalog import AzureManagedIdentityRequest

    return AzureManagedIdentityRequest(access_connector_id=connector)


def put(bricks: Bricks, source: str, name: str = "") -> str:
    """Store a Python file in the workspace, by a name of its own if none is given, and return its path."""
    from databricks.sdk.service.workspace import ImportFormat

    path = f"{FOLDER}/{name or f'{uuid.uuid4().hex[:8]}.py'}"
    bricks.client.workspace.upload(path, source.encode(), format=ImportFormat.AUTO)
    return path


def job(bricks: Bricks, path: str, *parameters: str, **more: Any) -> int:
    """Create a job of one task with the client's own request, and return its id."""
    task = {
        "task_key": "prepare",
        "spark_python_task": {"python_file": path, "parameters": list(parameters)},
        "new_cluster": CLUSTER,
    }
    return int(api(bricks, "POST", "/api/2.2/jobs/create", {"name": "prepare", "tasks": [task], **more})["job_id"])


def api(bricks: Bricks, method: str, path: str, body: Json | None = None) -> Json:
    return dict(bricks.client.api_client.do(method, path, body=body) or {})
