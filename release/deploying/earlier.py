"""The earlier version of an endpoint that a rollback goes to."""

from __future__ import annotations

from collections.abc import Iterable

from infra.outputs import ModelOutput, StackOutputs
from release.errors import ReleaseError
from release.history.served import Served
from release.workspace import client, registry_client


def earlier(stack: str, entries: Iterable[Served], endpoint: str, version: str) -> Served:
    """Return the last time that an endpoint served a version.

    Raises:
        ReleaseError: It never served this version, or serves it now.
    """
    known = [each for each in entries if each.endpoint == endpoint and each.result != "failed"]
    found = [each for each in known if each.version == version]
    if not found:
        seen = "; ".join(f"{each.model} {each.version} since {each.since:%Y-%m-%d %H:%M}" for each in known)
        raise ReleaseError(
            f"endpoint '{endpoint}' of stack '{stack}' never served version {version}. It served: {seen or 'nothing'}",
            fix=f"use one of these versions; release history --stack {stack} --endpoint {endpoint} shows more",
        )
    if found[-1].result == "serving":
        raise ReleaseError(f"endpoint '{endpoint}' of stack '{stack}' already serves version {version}")
    return found[-1]


def check_readable(outputs: StackOutputs, model: ModelOutput) -> None:
    """Check that a version can be deployed again.

    Raises:
        ReleaseError: It no longer exists, or is archived.
    """
    from azure.core.exceptions import ResourceNotFoundError

    place = f"registry '{model.registry}'" if model.registry else f"workspace '{outputs.workspace}'"
    ml = registry_client(model.registry) if model.registry else client(outputs)
    try:
        # The client's entities do not show whether a version is archived, and its lists of a registry show all.
        found = ml.models._get(model.name, model.version)
    except ResourceNotFoundError as error:
        raise ReleaseError(f"{place} no longer has {model.name} version {model.version}") from error
    if found.properties.is_archived:
        where = (
            f"--registry-name {model.registry}"
            if model.registry
            else f"--workspace-name {outputs.workspace} --resource-group {outputs.resource_group}"
        )
        raise ReleaseError(
            f"{model.name} version {model.version} is archived in {place}",
            fix=f"choose another version, or restore it first: az ml model restore --name {model.name} --version "
            f"{model.version} {where}",
        )
