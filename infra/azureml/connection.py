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
    from azure.core.credentials import AccessToken, AccessTokenInfo, TokenCredential, TokenRequestOptions
    from azure.core.pipeline.transport import RequestsTransport

_local = threading.local()
_lock = threading.Lock()
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
        with _lock:
            clients[workspace] = _client(workspace)
    return clients[workspace]


def _client(workspace: Workspace) -> MLClient:
    from azure.ai.ml import MLClient

    # The client warns about its own preview classes, noise between Pulumi's lines; its import sets its own level.
    logging.getLogger("azure.ai.ml").setLevel(logging.ERROR)
    _share_uploads()
    return MLClient(
        credential(),
        workspace.subscription_id,
        workspace.resource_group,
        workspace.name,
        show_progress=False,
        enable_telemetry=False,
        transport=transport(),
    )


@functools.cache
def credential() -> TokenCredential:
    """One for all threads, which asks for a token once where many need it at the same time."""
    from azure.identity import DefaultAzureCredential

    class OneAtATime(DefaultAzureCredential):
        _asking = threading.RLock()

        def get_token(self, *scopes: str, **options: Any) -> AccessToken:
            with self._asking:
                return super().get_token(*scopes, **options)

        def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
            with self._asking:
                return super().get_token_info(*scopes, options=options)

    return OneAtATime()


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


@functools.cache
def _share_uploads() -> None:
    """Let azure-ai-ml's uploads share the connections too: it makes a storage client for each, and takes no options.

    Reaches into a private module. Where that is not as it was, uploads work over connections of their own.
    """
    from azure.ai.ml._artifacts import _blob_storage_helper
    from azure.storage.blob import ContainerClient

    class Shared(ContainerClient):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{"transport": transport(), **options})

    setattr(_blob_storage_helper, "ContainerClient", Shared)  # noqa: B010 - its annotation says it is the class itself


def project_root() -> Path:
    """Return the folder of Pulumi.yaml, which every path in a definition is relative to."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "Pulumi.yaml").exists():
            return folder
    return here
