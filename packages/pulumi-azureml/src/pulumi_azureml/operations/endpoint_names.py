"""Whether the name of a new endpoint is free in its region: asked in the preview.

Azure has no operation for this question. A list of the subscription's endpoints answers it for all workspaces that the
caller may read. An endpoint in another subscription shows only when Azure refuses the creation.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from pulumi_azureml.operations import arm, ownership
from pulumi_azureml.operations.connection import Workspace
from pulumi_azureml.operations.errors import AssetError, Remedy
from pulumi_azureml.operations.kind import Props, endpoint_label

_log = logging.getLogger(__name__)
_WORKSPACES = "Microsoft.MachineLearningServices/workspaces"
_KINDS = ("onlineEndpoints", "batchEndpoints")
_API_VERSION = "2021-04-01"


def taken(olds: Props, news: Props) -> dict[str, AssetError]:
    """Return the problem of an endpoint whose name another workspace has in the region, by its input.

    Nothing for an endpoint that exists already, or if its region is unknown. If the endpoints cannot be listed, only a
    warning is logged, and the creation will tell.
    """
    name, location, workspace = news["name"], news.get("location"), Workspace.of(news)
    is_known = None not in (location, news["workspace"]["subscription_id"])
    if olds or not is_known:
        return {}
    from pulumi_azureml.operations.sdk import AzureError

    label = endpoint_label("endpoint", news["definition"].get("name", name), name)
    try:
        holder = endpoints_elsewhere(workspace, [name], str(location), news["owner"]).get(name)
    except AzureError as error:
        reason = str(error.message).partition("\n")[0]
        _log.warning("%s: whether its name is free in %s could not be looked up: %s", label, location, reason)
        return {}
    if holder is None:
        return {}
    remedy = Remedy(
        "For another name", "endpoint_names", "NEW", "its `name`", entry=news["definition"].get("name", name)
    )
    problem = f"{label}: {location} has an endpoint of that name, and names are unique in a region: {holder}"
    return {"name": AssetError(problem, remedy)}


def endpoints_elsewhere(workspace: Workspace, names: Iterable[str], location: str, owner: str) -> dict[str, str]:
    """Return the resource ids of endpoints that have some names in a region and are not the owner's, by name.

    Args:
        workspace: Workspace that is to have the endpoints. The endpoints in it are the owner's. It may not exist.
        names: Names in Azure of the endpoints.
        location: Region, as a short name.
        owner: Owner in the tags of the owner's endpoints.

    Raises:
        AzureError: The endpoints of the subscription cannot be listed.
    """
    found = _endpoints(workspace)
    others = ((name, each) for name in names for each in found if _has_name(each, name, location))
    return {name: each["id"] for name, each in others if not _is_ours(each, workspace, owner)}


def _endpoints(workspace: Workspace) -> list[dict[str, Any]]:
    path = f"/subscriptions/{workspace.subscription_id}/resources"
    filters = [f"resourceType eq '{_WORKSPACES}/{kind}'" for kind in _KINDS]
    return [each for text in filters for each in arm.pages(path, _API_VERSION, {"$filter": text})]


def _has_name(endpoint: dict[str, Any], name: str, location: str) -> bool:
    found = (endpoint["id"].rpartition("/")[2].lower(), str(endpoint["location"]).replace(" ", "").lower())
    return found == (name.lower(), location.lower())


def _is_ours(endpoint: dict[str, Any], workspace: Workspace, owner: str) -> bool:
    """Whether an endpoint is in the workspace, or has the owner's tag. A preview may not know the workspace yet."""
    inside = endpoint["id"].lower().startswith(f"{workspace.id}/".lower())
    return inside or ownership.is_ours(endpoint.get("tags"), owner)
