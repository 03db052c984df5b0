"""The workspace that a request addresses by its host, and who may use it."""

from __future__ import annotations

from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.routing import Call
from amlite.core.store import Document
from amlite.services.databricks.errors import DatabricksError
from amlite.services.databricks.types import CONTENT, WORKSPACE_TYPE
from amlite.services.entra.tokens import tokens

HOST = "*.azuredatabricks.net"
AUDIENCE = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"
"""The application of Azure Databricks, for which tokens are issued."""
_USE = f"{WORKSPACE_TYPE}/write"


def entered(call: Call) -> tuple[Document, Principal]:
    """Return the workspace of a request, and its caller. Raises DatabricksError.

    A principal becomes a user and administrator of a workspace with the role Contributor or Owner on the resource.
    """
    workspace = _of_host(call.platform, call.host)
    if call.bearer is None:
        raise DatabricksError(401, "UNAUTHENTICATED", "Credential was not sent or was of an unsupported type.")
    try:
        principal = tokens(call.platform).principal_of(call.bearer, frozenset({AUDIENCE}))
    except AzureError as error:
        raise DatabricksError(403, "PERMISSION_DENIED", f"Invalid access token. {error.message}") from error
    if not call.platform.access.allowed(principal, workspace.id, _USE):
        raise DatabricksError(
            403,
            "PERMISSION_DENIED",
            f"The principal '{principal.client_id}' is not a user of the workspace '{workspace.body['name']}'. It "
            "needs the role Contributor or Owner on the workspace's resource.",
        )
    return workspace, principal


def content(workspace: Document, *parts: object) -> str:
    """Return the key of something that a workspace holds."""
    return "/".join([f"{CONTENT}{workspace.id}", *map(str, parts)])


def _of_host(platform: Platform, host: str) -> Document:
    for document in platform.store.of_type(WORKSPACE_TYPE):
        if document.body["properties"]["workspaceUrl"] == host:
            return document
    raise DatabricksError(404, "RESOURCE_DOES_NOT_EXIST", f"There is no workspace at {host}.")
