"""Whether the model version that a deployment serves exists and can be read: asked in the preview."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pulumi_azureml.operations.connection import Registry, Workspace, connect
from pulumi_azureml.operations.kind import Props, found
from pulumi_azureml.operations.retry import confirmed
from pulumi_azureml.planning.references import parse, registry_version

if TYPE_CHECKING:
    from azure.core.exceptions import HttpResponseError

_log = logging.getLogger(__name__)
_DENIED = frozenset({401, 403})


def refusal(props: Props) -> str | None:
    """Say why the version in the input `existing_model` cannot be deployed, and what to do.

    None if it can, if the plan makes the model itself, or if Azure does not answer: then only a warning is logged, and
    the deployment will tell.
    """
    from pulumi_azureml.operations.sdk import AzureError, HttpResponseError

    reference = props.get("existing_model")
    where = _place(props, reference) if reference else None
    if where is None:
        return None
    place, name, version = where
    kind = "registry" if isinstance(place, Registry) else "workspace"
    holder = f"{kind} '{place.name}'"
    try:
        model = confirmed(lambda: found(lambda: connect(place).models.get(name=name, version=version)))
    except HttpResponseError as error:
        if error.status_code in _DENIED:
            return f"{holder} does not let you read model '{name}' version {version}: {_first_line(error)}"
        _log.warning("model '%s' of %s could not be looked up: %s", name, holder, _first_line(error))
        return None
    except AzureError as error:
        _log.warning("model '%s' of %s could not be looked up: %s", name, holder, error.message)
        return None
    if model is not None:
        return None
    how = "Share it with the registry" if isinstance(place, Registry) else "Register it there"
    return f"{holder} has no model '{name}' version {version}. {how}, or serve another version"


def deployed_model(props: Props) -> tuple[str, str, dict[str, str]] | None:
    """Return name, version and tags of the version in the input `existing_model`, or None if Azure does not have it.

    Raises:
        AzureError: the version cannot be read.
    """
    reference = props.get("existing_model")
    where = _place(props, reference) if reference else None
    if where is None:
        return None
    place, name, version = where
    model = found(lambda: connect(place).models.get(name=name, version=version))
    return (name, version, dict(model.tags or {})) if model is not None else None


def _place(props: Props, reference: str) -> tuple[Workspace | Registry, str, str] | None:
    """Return where a version is, its name and version; None in a workspace that a preview does not know yet."""
    shared = registry_version(reference)
    if shared is not None:
        return Registry(shared.registry), shared.name, shared.version
    workspace, written = Workspace.of(props), parse(reference, folder="")
    if written is None or None in (workspace.subscription_id, workspace.resource_group, workspace.name):
        return None
    return workspace, written.name, written.version


def _first_line(error: HttpResponseError) -> str:
    return str(error.message).partition("\n")[0]
