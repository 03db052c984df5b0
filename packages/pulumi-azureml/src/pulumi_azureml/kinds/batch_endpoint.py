"""Batch endpoints: `ml/batch/endpoint.yml`, or `ml/batch/<folder>/endpoint.yml` for more than one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pulumi

from pulumi_azureml.kinds.deployment import NAME, NAME_RULE
from pulumi_azureml.operations import ownership
from pulumi_azureml.operations.managed import ManagedKind, Props, found
from pulumi_azureml.operations.retry import confirmed, finished
from pulumi_azureml.operations.staging import load
from pulumi_azureml.planning.assets import AssetId
from pulumi_azureml.planning.documents import Document
from pulumi_azureml.planning.drafts import Draft, Drafts
from pulumi_azureml.planning.problems import Problem, listing, suggestion
from pulumi_azureml.planning.settings import CatalogueSettings
from pulumi_azureml.resources.resource import Arguments, Resource

if TYPE_CHECKING:
    from azure.ai.ml import MLClient


@dataclass(frozen=True, kw_only=True)
class BatchEndpointArgs(Arguments):
    """Arguments of `BatchEndpoint`: the keys of its CLI v2 YAML.

    Attributes:
        auth_mode: batch endpoints take Microsoft Entra tokens only.
    """

    kind = "batch_endpoint"

    auth_mode: Literal["aad_token"] = "aad_token"


class BatchEndpoint(Resource[BatchEndpointArgs], module="azureml", name="BatchEndpoint"):
    """A batch endpoint. Its deployments are resources of their own; the default one says so itself.

    Everything is updated in place; removal deletes it. Output: `scoring_uri` (where jobs are begun). Fails when an
    endpoint of the name is another stack's.
    """

    kind = "batch_endpoint"

    scoring_uri: pulumi.Output[str]


class BatchEndpointKind(ManagedKind):
    """A batch endpoint. `defaults.deployment_name` in the YAML is input of the deployments, which come after it."""

    name = "batch_endpoint"
    loader = "load_batch_endpoint"
    schemas: ClassVar = {"": "_endpoint.batch.batch_endpoint:BatchEndpointSchema"}
    metadata = frozenset({"description", "tags"})
    resource = BatchEndpoint
    outputs = ("resource_id", "scoring_uri")

    def claims(self, path: str, _document: Document) -> bool:
        """One in `ml/batch/`, or one in each folder of it."""
        return re.fullmatch(r"ml/batch/([^/]+/)?endpoint\.yml", path) is not None

    def check_name(self, draft: Draft) -> None:
        """Report a name that Azure refuses."""
        if not NAME.fullmatch(draft.id.name):
            draft.problem(("name",), f"'{draft.id.name}' is not a valid endpoint name", NAME_RULE)

    def collect(self, draft: Draft, settings: CatalogueSettings) -> None:
        """A batch endpoint uses nothing."""

    def check(self, draft: Draft, drafts: Drafts, _settings: CatalogueSettings) -> Iterator[Problem]:
        """The default deployment has to be there, and has to be said where there are several; names are host names."""
        online = drafts.get(AssetId("endpoint", draft.id.name))
        if online is not None:
            message = f"'{draft.id.name}' is the online endpoint of {online.document.path} too"
            yield draft.document.problem(("name",), message, "give one of the two another name: they are host names")
        if draft.definition.get("auth_mode", "aad_token") != "aad_token":
            yield draft.document.problem(("auth_mode",), "batch endpoints have no keys", "write `auth_mode: aad_token`")
        names = sorted(
            id_.name.partition("/")[2]
            for id_ in drafts
            if id_.kind == "batch_deployment" and id_.name.partition("/")[0] == draft.id.name
        )
        default = default_deployment(draft.definition)
        if default is not None and AssetId("batch_deployment", f"{draft.id.name}/{default}") not in drafts:
            advice = suggestion(default, names, otherwise=f"add `{default}-deployment.yml` beside the endpoint")
            message = f"the default is an unknown deployment '{default}'"
            yield draft.document.problem(("defaults", "deployment_name"), message, advice)
        elif default is None and len(names) > 1:
            fix = "add `defaults:` with the `deployment_name:` of one"
            message = f"does not say which deployment is the default, of {listing(names)}"
            yield draft.document.problem(("defaults",), message, fix)

    def upsert(self, ml: MLClient, props: Props) -> Props:
        """Create or update the endpoint; the default deployment stays what it is."""
        existing = self._get(ml, props["name"])
        if existing is not None:
            ownership.check(f"batch endpoint '{props['name']}'", existing.tags, props["owner"], adopt=props["adopt"])
        definition = self.definition(props)
        definition.pop("defaults", None)
        entity = load(self.loader, definition)
        if existing is not None:
            entity.defaults = existing.defaults
        made = finished(ml.batch_endpoints.begin_create_or_update(entity), f"batch endpoint '{props['name']}'")
        return {"resource_id": made.id, "scoring_uri": made.scoring_uri}

    def observe(self, ml: MLClient, props: Props) -> Props | None:
        """Read it back; what others replaced shows in `content_hash`."""
        existing = self._get(ml, props["name"])
        if existing is None:
            return None
        content = (existing.tags or {}).get(ownership.CONTENT, ownership.CHANGED)
        return {**props, "content_hash": content, "metadata": ownership.observed(existing, props["metadata"])}

    def remove(self, ml: MLClient, props: Props) -> None:
        """Delete the endpoint with what it has, unless another stack took it over."""
        existing = confirmed(lambda: self._get(ml, props["name"]))
        if existing is not None and not ownership.is_foreign(existing.tags, props["owner"]):
            finished(ml.batch_endpoints.begin_delete(props["name"]), f"batch endpoint '{props['name']}'")

    @staticmethod
    def _get(ml: MLClient, name: str) -> Any | None:
        return found(lambda: ml.batch_endpoints.get(name))


def default_deployment(definition: Mapping[str, Any]) -> str | None:
    """Return the name of the default deployment that an endpoint's definition says, if it says one."""
    defaults = definition.get("defaults")
    name = defaults.get("deployment_name") if isinstance(defaults, Mapping) else None
    return name if isinstance(name, str) else None


KIND = BatchEndpointKind()
