"""Batch deployments: the new one is created beside the old one, which is then deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pulumi_azureml.operations import models, ownership
from pulumi_azureml.operations.errors import AssetError
from pulumi_azureml.operations.kind import Operations, Props, endpoint_label, found
from pulumi_azureml.operations.retry import confirmed, finished
from pulumi_azureml.operations.staging import load, staged
from pulumi_azureml.planning.deployments import azure_name, azure_names
from pulumi_azureml.planning.kinds import batch_deployment

if TYPE_CHECKING:
    from azure.ai.ml import MLClient


class BatchDeploymentOperations(Operations):
    """A deployment of a model or a pipeline component. Its resource's name is `<endpoint>/<deployment>`.

    Further inputs: `is_default`, and `existing_model`, the reference to the model's version if it has to exist already,
    or None. Further output: `live`, its name in Azure: that in the YAML and the beginning of its content hash.
    """

    planned = batch_deployment.KIND
    outputs = ("resource_id", "live")
    significant = (*Operations.significant, "is_default")

    def check_inputs(self, olds: Props, news: Props) -> dict[str, str]:
        """Refuse a new deployment whose model does not exist or cannot be read."""
        is_new = olds.get("content_hash") != news["content_hash"]
        reason = models.refusal(news) if is_new else None
        return {"definition": f"{news['path']}: {reason}"} if reason is not None else {}

    def upsert(self, ml: MLClient, props: Props) -> Props:
        """Create the deployment beside the old one, make it the default if it is to be, and delete the old one."""
        endpoint, live = self._endpoint(props), live_name(props)
        existing = self._versions(ml, props).get(live)
        if existing is not None:
            ownership.check(f"batch deployment '{live}'", existing.tags, props["owner"], adopt=props["adopt"])
        if existing is None or existing.provisioning_state != "Succeeded" or self._changed(existing, props):
            existing = self._create(ml, props, endpoint, live)
        if props["is_default"]:
            self._make_default(ml, endpoint, live)
        self._sweep(ml, props, self._versions(ml, props), keep=live)
        return {"resource_id": existing.id, "live": live}

    def observe(self, ml: MLClient, props: Props) -> Props | None:
        """Read it back. Changes by others show in `content_hash` and `is_default`."""
        endpoint, live = self._endpoint(props), live_name(props)
        existing = self._versions(ml, props).get(live)
        if existing is None:
            return None
        content = (existing.tags or {}).get(ownership.CONTENT, ownership.CHANGED)
        is_default = _is_default(ml.batch_endpoints.get(endpoint), live)
        metadata = ownership.observed(existing, props["metadata"])
        return {
            **props,
            "content_hash": content,
            "metadata": metadata,
            # A default deployment that is not this resource's does not count as drift.
            "is_default": props["is_default"] and is_default,
        }

    def remove(self, ml: MLClient, props: Props) -> None:
        """Delete it. Azure refuses to delete a default deployment, so the default is cleared first."""
        there = confirmed(lambda: self._versions(ml, props) or None)
        self._sweep(ml, props, there or {}, keep=None)

    @staticmethod
    def _endpoint(props: Props) -> str:
        """Return the endpoint's name in Azure."""
        return str(props["name"]).partition("/")[0]

    def _create(self, ml: MLClient, props: Props, endpoint: str, live: str) -> Any:
        from pulumi_azureml.operations.sdk import AzureError, HttpResponseError

        try:
            wanted = {**self.definition(props), "name": live, "endpoint_name": endpoint}
            with staged(wanted, props.get("trees", []), props["path"]) as here:
                making = ml.batch_deployments.begin_create_or_update(load(self.planned.loader_of(here), here))
                return finished(making, f"batch deployment '{live}'")
        except AzureError as error:
            on = endpoint_label("endpoint", props["definition"]["endpoint_name"], endpoint)
            reason = f"batch deployment '{live}' on {on} was not made: {error}"
            failed = self._versions(ml, props).get(live)
            if isinstance(error, HttpResponseError) and failed is not None and failed.provisioning_state == "Failed":
                self._delete(ml, endpoint, live)
            raise AssetError(reason) from error

    @staticmethod
    def _make_default(ml: MLClient, endpoint: str, live: str) -> None:
        there = ml.batch_endpoints.get(endpoint)
        if _is_default(there, live):
            return
        there.defaults = {"deployment_name": live}
        finished(ml.batch_endpoints.begin_create_or_update(there), f"batch endpoint '{endpoint}'")

    def _sweep(self, ml: MLClient, props: Props, deployments: Mapping[str, Any], keep: str | None) -> None:
        """Delete this resource's other deployments: the old one, and leftovers of interrupted attempts."""
        endpoint = self._endpoint(props)
        for name, deployment in deployments.items():
            if name == keep or ownership.is_foreign(deployment.tags, props["owner"]):
                continue
            there = ml.batch_endpoints.get(endpoint)
            if _is_default(there, name):
                there.defaults = None
                finished(ml.batch_endpoints.begin_create_or_update(there), f"batch endpoint '{endpoint}'")
            self._delete(ml, endpoint, name)

    @staticmethod
    def _delete(ml: MLClient, endpoint: str, name: str) -> None:
        from pulumi_azureml.operations.sdk import ResourceNotFoundError

        try:
            finished(ml.batch_deployments.begin_delete(name=name, endpoint_name=endpoint), f"batch deployment '{name}'")
        except ResourceNotFoundError:
            return

    def _versions(self, ml: MLClient, props: Props) -> dict[str, Any]:
        """Return the deployments in Azure that are named as versions of this one, by name."""
        there = found(lambda: list(ml.batch_deployments.list(self._endpoint(props)))) or []
        pattern = azure_names(_name(props))
        return {each.name: each for each in there if pattern.fullmatch(each.name)}

    @staticmethod
    def _changed(existing: Any, props: Props) -> bool:
        return (
            not ownership.is_ours(existing.tags, props["owner"])
            or (existing.tags or {}).get(ownership.CONTENT) != props["content_hash"]
            or ownership.observed(existing, props["metadata"]) != props["metadata"]
        )


def live_name(props: Props) -> str:
    """Return the deployment's name in Azure."""
    return azure_name(_name(props), props["content_hash"])


def _name(props: Props) -> str:
    """Return its name in the YAML: a resource's name is `<endpoint>/<deployment>`."""
    return str(props["name"]).partition("/")[2]


def _is_default(endpoint: Any, live: str) -> bool:
    """Whether a deployment is the default of an endpoint (the client's entity), which may have none."""
    return endpoint.defaults is not None and endpoint.defaults.deployment_name == live


OPERATIONS = BatchDeploymentOperations()
