"""Checks that the stack's names are free, in Azure or in a region. Soft-deleted resources keep theirs."""

from __future__ import annotations

from collections.abc import Iterator

from azure.core.exceptions import AzureError

from infra import NAMESPACE, availability, naming
from pulumi_azureml.operations import Workspace, endpoints_elsewhere
from release.doctor.findings import Finding, ok, problem, warning
from release.doctor.subject import Subject
from release.errors import first_line


def check(subject: Subject) -> Iterator[Finding]:
    """Look the names up, as a preview does before it plans to create resources with them."""
    found = [*_resources(subject), *_endpoints(subject)]
    yield from found or [ok("the names of the resources and endpoints are free, or the stack's own")]


def _resources(subject: Subject) -> Iterator[Finding]:
    tags = naming.tags(subject.settings.naming, subject.stack, subject.settings.tags)
    wanted = availability.WantedNames.of(subject.configuration, subject.names, tags)
    answers = availability.ask(wanted)
    for text in answers.problems:
        what, _, fix = text.strip().partition("\n      fix: ")
        yield problem(what, "Azure would refuse to create the resource.", fix)
    for reason in answers.unchecked:
        yield warning("not checked", reason, "solve this and run `release doctor` again")
    if answers.recoverable is not None:
        yield ok(f"the update recovers the soft-deleted key vault {answers.recoverable.name}")


def _endpoints(subject: Subject) -> Iterator[Finding]:
    cloud, names = subject.configuration.cloud, subject.names
    kinds = ("online_endpoint", "batch_endpoint")
    keys = {asset.azure_name: asset.name for kind in kinds for asset in subject.catalogue.of(kind)}
    workspace = Workspace(cloud.subscription_id, names.resource_group, names.workspace)
    try:
        taken = endpoints_elsewhere(workspace, keys, cloud.location, subject.configuration.owner)
    except AzureError as error:
        yield warning(
            "not checked",
            f"Cannot check with Azure whether the names of the endpoints are free: {first_line(error)}",
            "solve this and run `release doctor` again",
        )
        return
    for name, holder in taken.items():
        yield problem(
            f"endpoint {keys[name]}: another workspace in {cloud.location} has the name {name}: {holder}",
            "Names of endpoints are unique in a region, so Azure would refuse to create the endpoint.",
            f"pulumi config set --path {NAMESPACE}:naming.endpoints.{keys[name]} NEW -s {subject.stack}",
        )
