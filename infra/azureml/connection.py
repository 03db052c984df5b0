"""The only way to Azure: azure-ai-ml, imported at the first request and not before (it takes a second and 100 MB)."""

from __future__ import annotations

import functools
import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.core.credentials import TokenCredential
    from azure.core.pipeline.transport import RequestsTransport

_local = threading.local()
# Connections that are kept, as many as resources are worked on at once.
_CONNECTIONS = 32


@dataclass(frozen=True)
class Workspace:
    """Which workspace: subscription id, resource group name, workspace name."""

    subscription_id: str
    resource_group: str
    name: str

    @classmethod
    def of(cls, props: dict[str, Any]) -> Workspace:
        """Read it from a resource's inputs."""
        return cls(**props["workspace"])

    @property
    def id(self) -> str:
        """ARM resource id."""
        group = f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
        return f"{group}/providers/Microsoft.MachineLearningServices/workspaces/{self.name}"


def connect(workspace: Workspace) -> MLClient:
    """Return this thread's client of a workspace, signed in as DefaultAzureCredential finds."""
    clients: dict[Workspace, MLClient] = _local.__dict__.setdefault("clients", {})
    if workspace not in clients:
        from azure.ai.ml import MLClient

        # The client warns about its own preview classes, noise between Pulumi's lines; its import sets its own level.
        logging.getLogger("azure.ai.ml").setLevel(logging.ERROR)
        clients[workspace] = MLClient(
            credential(),
            workspace.subscription_id,
            workspace.resource_group,
            workspace.name,
            show_progress=False,
            enable_telemetry=False,
            transport=transport(),
        )
    return clients[workspace]


@functools.cache
def credential() -> TokenCredential:
    """One for all threads, so that they share its tokens."""
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential()


@functools.cache
def transport() -> RequestsTransport:
    """One for all threads, so that they share its connections: each reads all certificates for itself, 40 ms."""
    from azure.core.pipeline.transport import RequestsTransport
    from requests import Session
    from requests.adapters import HTTPAdapter

    session = Session()
    # azure-core repeats requests itself.
    session.mount("https://", HTTPAdapter(pool_maxsize=_CONNECTIONS, max_retries=0))
    return RequestsTransport(session=session, session_owner=False)


def project_root() -> Path:
    """Return the folder of Pulumi.yaml, which every path in a definition is relative to."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "Pulumi.yaml").exists():
            return folder
    return here
