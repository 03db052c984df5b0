"""Online endpoints with their rollout: one resource owns an endpoint, its deployments and its traffic."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import yaml

from infra.azureml import ownership
from infra.azureml.connection import project_root
from infra.azureml.kinds.kind import Kind, Props
from infra.azureml.rollout import Rollout, shares
from infra.azureml.staging import staged

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

_MAX_NAME = 32
_HASH = 8


class EndpointKind(Kind):
    """An online endpoint.

    Further inputs: `identity_id` (the user-assigned identity it acts as), `deployment` (None before a first promotion,
    else {name, definition, content_hash, path, files, trees}), `rollout` {steps: percentages, bake_seconds},
    `smoke_request` (a JSON file sent to a new deployment before it gets traffic, or None), `traffic`
    (deployment → percent). Outputs: `resource_id`, `scoring_uri`, `live` (the deployment that has the traffic, or an
    empty text: Pulumi keeps no empty outputs).
    """

    name = "endpoint"
    significant = (*Kind.significant, "identity_id", "deployment", "traffic")

    def upsert(self, ml: MLClient, props: Props) -> Props:
        """Create or update the endpoint, then roll the wanted deployment out."""
        existing = self._get(ml, props["name"])
        if existing is not None:
            ownership.check(f"endpoint '{props['name']}'", existing.tags, props["owner"], adopt=props["adopt"])
        if existing is None or self._changed(existing, props):
            wanted = self._entity(props)
            wanted.traffic = existing.traffic if existing is not None else {}
            existing = ml.online_endpoints.begin_create_or_update(wanted).result()
        with self._deployment(props) as deployment:
            live = Rollout(ml, props).run(deployment, self.live_name(props))
        endpoint = self._get(ml, props["name"]) or existing
        return {"resource_id": endpoint.id, "scoring_uri": endpoint.scoring_uri, "live": live or ""}

    def observe(self, ml: MLClient, props: Props) -> Props | None:
        """Read endpoint and traffic back; what others changed shows in `content_hash` and `traffic`."""
        existing = self._get(ml, props["name"])
        if existing is None:
            return None
        content = (existing.tags or {}).get(ownership.CONTENT, ownership.CHANGED)
        metadata = ownership.observed(existing, props["metadata"])
        return {**props, "content_hash": content, "metadata": metadata, "traffic": shares(existing.traffic)}

    def remove(self, ml: MLClient, props: Props) -> None:
        """Delete the endpoint with its deployments, unless another stack took it over."""
        existing = self._get(ml, props["name"])
        if existing is not None and not ownership.is_foreign(existing.tags, props["owner"]):
            ml.online_endpoints.begin_delete(props["name"]).result()

    @staticmethod
    def live_name(props: Props) -> str | None:
        """Return the deployment's name in Azure: its name in the YAML and the beginning of its content hash.

        The same content has the same name, so an attempt that was cut off is found again and a revert goes back to
        what is still there.
        """
        deployment = props.get("deployment")
        if deployment is None:
            return None
        return f"{deployment['name'][: _MAX_NAME - _HASH - 1]}-{deployment['content_hash'][:_HASH]}"

    @staticmethod
    def _changed(existing: Any, props: Props) -> bool:
        tags = existing.tags or {}
        return (
            tags.get(ownership.CONTENT) != props["content_hash"]
            or not ownership.is_ours(tags, props["owner"])
            or ownership.observed(existing, props["metadata"]) != props["metadata"]
            or existing.provisioning_state == "Failed"
        )

    @staticmethod
    def _entity(props: Props) -> Any:
        from azure.ai.ml import load_online_endpoint

        tags = ownership.tagged(props["metadata"].get("tags"), props["owner"], props["content_hash"])
        definition = {**props["definition"], **props["metadata"], "name": props["name"], "tags": tags}
        if props.get("identity_id") is not None and "identity" not in definition:
            definition["identity"] = {
                "type": "user_assigned",
                "user_assigned_identities": [{"resource_id": props["identity_id"]}],
            }
        text = io.StringIO(yaml.safe_dump(definition, sort_keys=False))
        return load_online_endpoint(text, relative_origin=str(project_root() / "Pulumi.yaml"))

    @contextmanager
    def _deployment(self, props: Props) -> Iterator[Any | None]:
        deployment = props.get("deployment")
        if deployment is None:
            yield None
            return
        from azure.ai.ml import load_online_deployment

        tags = ownership.tagged(deployment["definition"].get("tags"), props["owner"], deployment["content_hash"])
        definition = {
            **deployment["definition"],
            "name": self.live_name(props),
            "endpoint_name": props["name"],
            "tags": tags,
        }
        with staged(definition, deployment.get("trees", []), deployment.get("path", props["path"])) as here:
            text = io.StringIO(yaml.safe_dump(here, sort_keys=False))
            yield load_online_deployment(text, relative_origin=str(project_root() / "Pulumi.yaml"))

    @staticmethod
    def _get(ml: MLClient, name: str) -> Any | None:
        from azure.core.exceptions import ResourceNotFoundError

        try:
            return ml.online_endpoints.get(name)
        except ResourceNotFoundError:
            return None
