"""Batch endpoints: updated in place. The deployments' operations set the default deployment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pulumi_azureml.operations import endpoint_names, ownership
from pulumi_azureml.operations.errors import AssetError
from pulumi_azureml.operations.kind import Operations, Props, endpoint_label, found
from pulumi_azureml.operations.retry import confirmed, finished
from pulumi_azureml.operations.staging import load
from pulumi_azureml.planning.kinds import batch_endpoint

if TYPE_CHECKING:
    from azure.ai.ml import MLClient


class BatchEndpointOperations(Operations):
    """An endpoint without its deployments, which are created later. Further output: `scoring_uri`."""

    planned = batch_endpoint.KIND
    outputs = ("resource_id", "scoring_uri")
    options = (*Operations.options, "endpoint_names")

    def label(self, props: Props) -> str:
        """Return the endpoint with both of its names."""
        return endpoint_label(self.title, props["definition"]["name"], props["name"])

    def check_inputs(self, olds: Props, news: Props) -> Mapping[str, str | AssetError]:
        """Refuse a name that is taken."""
        return endpoint_names.taken(olds, news)

    def upsert(self, ml: MLClient, props: Props) -> Props:
        """Create or update the endpoint and keep its default deployment."""
        existing = self._get(ml, props["name"])
        if existing is not None:
            ownership.check(self.label(props), existing.tags, props["owner"], adopt=props["adopt"])
        definition = self.definition(props)
        definition.pop("defaults", None)
        entity = load(self.planned.loader, definition)
        if existing is not None:
            entity.defaults = existing.defaults
        made = finished(ml.batch_endpoints.begin_create_or_update(entity), self.label(props))
        return {"resource_id": made.id, "scoring_uri": made.scoring_uri}

    def observe(self, ml: MLClient, props: Props) -> Props | None:
        """Read it back. Changes by others show in `content_hash`."""
        existing = self._get(ml, props["name"])
        if existing is None:
            return None
        content = (existing.tags or {}).get(ownership.CONTENT, ownership.CHANGED)
        return {**props, "content_hash": content, "metadata": ownership.observed(existing, props["metadata"])}

    def remove(self, ml: MLClient, props: Props) -> None:
        """Delete the endpoint and its deployments, unless another stack took it over."""
        existing = confirmed(lambda: self._get(ml, props["name"]))
        if existing is not None and not ownership.is_foreign(existing.tags, props["owner"]):
            finished(ml.batch_endpoints.begin_delete(props["name"]), self.label(props))

    @staticmethod
    def _get(ml: MLClient, name: str) -> Any | None:
        return found(lambda: ml.batch_endpoints.get(name))


OPERATIONS = BatchEndpointOperations()
