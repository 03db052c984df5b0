"""Online endpoints: one resource owns an endpoint, its deployment and its traffic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pulumi_azureml.operations import autoscale, collector, endpoint_names, models, ownership, progress, quota
from pulumi_azureml.operations.connection import Workspace, connect
from pulumi_azureml.operations.drift import drift
from pulumi_azureml.operations.errors import AssetError
from pulumi_azureml.operations.kind import Operations, Props, endpoint_label, found
from pulumi_azureml.operations.retry import confirmed, finished, settled
from pulumi_azureml.operations.rollout import Rollout, shares
from pulumi_azureml.operations.staging import load, staged
from pulumi_azureml.planning.deployments import azure_name
from pulumi_azureml.planning.kinds import online_deployment, online_endpoint

if TYPE_CHECKING:
    from azure.ai.ml import MLClient


class OnlineEndpointOperations(Operations):
    """An endpoint, its deployment and its traffic.

    Further inputs: `identity_id` (the user-assigned identity it acts as), `deployment` (None before a first promotion,
    else {name, definition, content_hash, path, files, trees}), `rollout` {steps: percentages, bake_seconds, checks: as
    `ChecksArgs`}, `autoscale` (as `AutoscaleArgs`, or None), `smoke_request` (a JSON file sent to a new deployment
    before it gets traffic, or None), `traffic` (deployment → percent), `existing_model` (the reference to the model's
    version if it has to exist already, or None). Outputs: `resource_id`, `scoring_uri`, `live` (the deployment that has
    the traffic, or an empty text: Pulumi keeps no empty outputs).
    """

    planned = online_endpoint.KIND
    outputs = ("resource_id", "scoring_uri", "live")
    options = (*Operations.options, "endpoint_names")
    significant = (*Operations.significant, "identity_id", "deployment", "traffic", "autoscale")

    def label(self, props: Props) -> str:
        """Return the endpoint with both of its names."""
        return endpoint_label("endpoint", props["definition"]["name"], props["name"])

    def check_inputs(self, olds: Props, news: Props) -> Mapping[str, str | AssetError]:
        """Refuse a name that is taken, and a new deployment without its model or the vCPUs for it.

        Azure counts the vCPUs of managed deployments, and the run's other deployments take some too.
        """
        return {**endpoint_names.taken(olds, news), **self._check_deployment(olds, news)}

    def _check_deployment(self, olds: Props, news: Props) -> dict[str, str]:
        wanted, name = news.get("deployment"), self.live_name(news)
        if wanted is not None and self.live_name(olds) != name:
            reason = models.refusal(news) or collector.refusal(news)
            if reason is not None:
                return {"deployment": f"{wanted['path']}: {reason}"}
        need = deployment_need(olds, news)
        if need is None or news.get("location") is None:
            return {}
        place = Workspace.of(news)
        is_there = None not in (place.resource_group, place.name)
        ml = connect(place if is_there else Workspace(place.subscription_id, "-", "-"))
        if is_there:
            # An interrupted attempt already has its vCPUs.
            need = replace(need, before=max(need.before, self._count(ml, news["name"], name)))
        if need.instances <= need.before:
            return {}
        reason = quota.shortage(ml, _taker(news), need)
        return {"deployment": f"{need.path}: {reason}"} if reason is not None else {}

    def upsert(self, ml: MLClient, props: Props) -> Props:
        """Create or update the endpoint, then roll the wanted deployment out."""
        quota.begun(_taker(props))
        what = self.label(props)
        # An operation of an interrupted attempt may still be running on it.
        existing = settled(lambda: self._get(ml, props["name"]), lambda there: there.provisioning_state, what)
        if existing is not None:
            ownership.check(what, existing.tags, props["owner"], adopt=props["adopt"])
        if existing is None or self._changed(existing, props):
            wanted = self._entity(props)
            wanted.traffic = existing.traffic if existing is not None else {}
            if existing is not None and progress.TAG in (existing.tags or {}):
                wanted.tags[progress.TAG] = existing.tags[progress.TAG]
            existing = finished(ml.online_endpoints.begin_create_or_update(wanted), what)
        with self._deployment(props) as deployment:
            live = Rollout(ml, props).run(deployment, self.live_name(props))
        endpoint = self._get(ml, props["name"]) or existing
        return {"resource_id": endpoint.id, "scoring_uri": endpoint.scoring_uri, "live": live or ""}

    def observe(self, ml: MLClient, props: Props) -> Props | None:
        """Read the endpoint, live deployment, autoscale and traffic back, so that changes by others show."""
        existing = self._get(ml, props["name"])
        if existing is None:
            return None
        content = (existing.tags or {}).get(ownership.CONTENT, ownership.CHANGED)
        seen = {**props, "content_hash": content, "metadata": ownership.observed(existing, props["metadata"])}
        deployments = {each.name: each for each in ml.online_deployments.list(props["name"])}
        ours = {each for each, it in deployments.items() if ownership.is_ours(it.tags, props["owner"])}
        wanted, name = props.get("deployment"), self.live_name(props)
        # Deployments that an interrupted rollout left without traffic show too, so that the next update deletes them.
        traffic = dict.fromkeys(ours - {name}, 0) | shares(existing.traffic)
        if wanted is None or name is None:
            # Deployments of others on the endpoint do not count as drift while this stack serves nothing.
            return {**seen, "traffic": {each: share for each, share in traffic.items() if each in ours}}
        if name in deployments:
            changed = drift(deployments[name], wanted["definition"])
            seen["deployment"] = {**wanted, "definition": {**wanted["definition"], **changed}}
        if props.get("autoscale") is not None:
            seen["autoscale"] = autoscale.observe(existing.id, name)
        return {**seen, "traffic": traffic}

    def remove(self, ml: MLClient, props: Props) -> None:
        """Delete the endpoint with its deployments and their autoscale, unless another stack took it over."""
        existing = confirmed(lambda: self._get(ml, props["name"]))
        if existing is None or ownership.is_foreign(existing.tags, props["owner"]):
            return
        for each in ml.online_deployments.list(props["name"]):
            if autoscale.TAG in (each.tags or {}):
                autoscale.remove(existing.id, each.name)
        finished(ml.online_endpoints.begin_delete(props["name"]), self.label(props))

    @staticmethod
    def _count(ml: MLClient, endpoint: str, deployment: str | None) -> int:
        from pulumi_azureml.operations.sdk import AzureError

        try:
            return int(ml.online_deployments.get(deployment, endpoint).instance_count or 0)
        except AzureError:  # it does not exist or cannot be read, and then neither can the quota
            return 0

    @staticmethod
    def live_name(props: Props) -> str | None:
        """Return the deployment's name in Azure, or None if the endpoint serves nothing."""
        deployment = props.get("deployment")
        return azure_name(deployment["name"], deployment["content_hash"]) if deployment is not None else None

    @staticmethod
    def _changed(existing: Any, props: Props) -> bool:
        tags = existing.tags or {}
        return (
            tags.get(ownership.CONTENT) != props["content_hash"]
            or not ownership.is_ours(tags, props["owner"])
            or ownership.observed(existing, props["metadata"]) != props["metadata"]
            or existing.provisioning_state == "Failed"
        )

    def _entity(self, props: Props) -> Any:
        definition = self.definition(props)
        if props.get("identity_id") is not None and "identity" not in definition:
            definition["identity"] = {
                "type": "user_assigned",
                "user_assigned_identities": [{"resource_id": props["identity_id"]}],
            }
        return load(self.planned.loader, definition)

    @contextmanager
    def _deployment(self, props: Props) -> Iterator[Any | None]:
        deployment = props.get("deployment")
        if deployment is None:
            yield None
            return
        tags = ownership.tagged(deployment["definition"].get("tags"), props["owner"], deployment["content_hash"])
        definition = {
            **deployment["definition"],
            "name": self.live_name(props),
            "endpoint_name": props["name"],
            "tags": tags,
        }
        with staged(definition, deployment.get("trees", []), deployment.get("path", props["path"])) as here:
            yield load(online_deployment.KIND.loader, here)

    @staticmethod
    def _get(ml: MLClient, name: str) -> Any | None:
        return found(lambda: ml.online_endpoints.get(name))


def deployment_need(olds: Props, news: Props) -> quota.Need | None:
    """Return the vCPUs that a rollout needs in addition, or None if it needs none, as on attached Kubernetes."""
    wanted = news.get("deployment")
    if wanted is None or "compute" in news["definition"]:
        return None
    size, count = wanted["definition"].get("instance_type"), wanted["definition"].get("instance_count", 1)
    is_there = OnlineEndpointOperations.live_name(olds) == OnlineEndpointOperations.live_name(news)
    before = _instances(olds) if is_there else 0
    return quota.Need(wanted["path"], size, count, before) if size is not None and count > before else None


def _taker(props: Props) -> quota.Taker:
    return quota.Taker(props["workspace"]["subscription_id"], props.get("location") or "", props["name"])


def _instances(props: Props) -> int:
    return int((props.get("deployment") or {}).get("definition", {}).get("instance_count", 1))


OPERATIONS = OnlineEndpointOperations()
