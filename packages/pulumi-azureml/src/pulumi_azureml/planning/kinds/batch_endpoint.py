"""Batch endpoints: `ml/batch/endpoint.yml`, or `ml/batch/<folder>/endpoint.yml` for more than one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Protocol

from pulumi_azureml.planning.assets import Asset, AssetId
from pulumi_azureml.planning.deployments import (
    check_azure_name,
    check_endpoint_name,
    check_identity,
    of_endpoint,
    same_azure_name,
)
from pulumi_azureml.planning.drafts import Draft, Drafts
from pulumi_azureml.planning.kind import Kind
from pulumi_azureml.planning.problems import Problem, listing, suggestion
from pulumi_azureml.planning.settings import CatalogueSettings


class BatchEndpointKind(Kind):
    """A batch endpoint. `defaults.deployment_name` in the YAML is an input of the deployments, which depend on it."""

    name = "batch_endpoint"
    loader = "load_batch_endpoint"
    schemas: ClassVar = {"": "_endpoint.batch.batch_endpoint:BatchEndpointSchema"}
    metadata = frozenset({"description", "tags"})

    def claims(self, path: str) -> bool:
        """Claim one file in `ml/batch/`, or one in each of its folders."""
        return re.fullmatch(r"ml/batch/([^/]+/)?endpoint\.yml", path) is not None

    def azure_name(self, name: str, settings: CatalogueSettings) -> str:
        """Return the name in Azure. It is unique in a region, so the program can have a rule for it."""
        return settings.endpoint_name(name)

    def check_name(self, draft: Draft) -> None:
        """Report a name that Azure refuses."""
        check_endpoint_name(draft)

    def collect(self, draft: Draft, settings: CatalogueSettings) -> None:
        """Check the name in Azure. A batch endpoint uses no other asset."""
        check_azure_name(draft, settings)
        check_identity(draft)

    def check(self, draft: Draft, drafts: Drafts, settings: CatalogueSettings) -> Iterator[Problem]:
        """Check that the default deployment exists. Names are host names."""
        yield from same_azure_name(draft, drafts, settings)
        if draft.definition.get("auth_mode", "aad_token") != "aad_token":
            yield draft.document.problem(("auth_mode",), "batch endpoints have no keys", "write `auth_mode: aad_token`")
        names = [each.id.name.partition("/")[2] for each in of_endpoint(draft.id.name, drafts, "batch_deployment")]
        default = _named(draft.definition)
        if default is not None and AssetId("batch_deployment", f"{draft.id.name}/{default}") not in drafts:
            advice = suggestion(default, names, otherwise=f"add `{default}-deployment.yml` beside the endpoint")
            message = f"the default is an unknown deployment '{default}'"
            yield draft.document.problem(("defaults", "deployment_name"), message, advice)
        elif default is None and len(names) > 1:
            fix = "add `defaults:` with the `deployment_name:` of one"
            message = f"does not name its default deployment; each call has to name one of {listing(names)}"
            draft.warnings.append(draft.document.problem(("defaults",), message, fix))


class _Plan(Protocol):
    """The part of a catalogue that this module reads: the catalogue imports it."""

    def of(self, kind: str) -> tuple[Asset, ...]: ...


def default_deployment(endpoint: Asset, plan: _Plan) -> str | None:
    """Return the name of an endpoint's default deployment: the one in its definition, or the only one that it has."""
    own = [each.name.partition("/") for each in plan.of("batch_deployment")]
    names = [name for owner, _, name in own if owner == endpoint.name]
    return names[0] if _named(endpoint.definition) is None and len(names) == 1 else _named(endpoint.definition)


def _named(definition: Mapping[str, Any]) -> str | None:
    defaults = definition.get("defaults")
    name = defaults.get("deployment_name") if isinstance(defaults, Mapping) else None
    return name if isinstance(name, str) else None


KIND = BatchEndpointKind()
