"""Online endpoints: `ml/deploy/endpoint.yml`, or `ml/deploy/<folder>/endpoint.yml` for more than one.

One resource owns an endpoint, its deployment and its traffic.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pulumi
from pulumi.runtime.rpc import UNKNOWN

from pulumi_azureml.kinds.deployment import NAME, NAME_RULE, DeploymentArgs, of_endpoint
from pulumi_azureml.operations import autoscale, ownership, progress, quota
from pulumi_azureml.operations.connection import Workspace, connect
from pulumi_azureml.operations.drift import drift
from pulumi_azureml.operations.managed import ManagedKind, Props, found
from pulumi_azureml.operations.retry import confirmed, finished, settled
from pulumi_azureml.operations.rollout import Rollout, shares
from pulumi_azureml.operations.staging import load, staged
from pulumi_azureml.planning.assets import Asset, AssetId
from pulumi_azureml.planning.catalogue import Catalogue
from pulumi_azureml.planning.documents import Document
from pulumi_azureml.planning.drafts import Draft, Drafts, compute
from pulumi_azureml.planning.problems import Problem
from pulumi_azureml.planning.settings import CatalogueSettings
from pulumi_azureml.resources.resource import Arguments, Planned, Resource, folders, trees, written
from pulumi_azureml.resources.rollout import AutoscaleArgs, ChecksArgs, RolloutArgs
from pulumi_azureml.resources.stack import Stack

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

SMOKE_REQUEST = "sample-request.json"
_MAX_NAME = 32
_HASH = 8


@dataclass(frozen=True, kw_only=True)
class OnlineEndpointArgs(Arguments):
    """Arguments of `OnlineEndpoint`: the keys of its CLI v2 YAML, its deployment and the rollout.

    Attributes:
        auth_mode: how callers prove who they are.
        compute: the attached Kubernetes cluster, for a Kubernetes endpoint.
        identity: `{"type": "user_assigned", "user_assigned_identities": [{"resource_id": …}]}`.
        public_network_access: `enabled` or `disabled`.
        identity_id: a user-assigned identity, in the place of `identity`; may be an output.
        deployment: what it serves; None serves nothing yet.
        rollout: how a new deployment takes over.
        smoke_request: a JSON file relative to the project, sent to a new deployment before it gets traffic.
        autoscale: for a managed endpoint; `instance_count` is then only a deployment's first.
    """

    kind = "endpoint"
    apart = Arguments.apart | {"identity_id", "deployment", "rollout", "smoke_request", "autoscale"}

    auth_mode: Literal["key", "aml_token", "aad_token"] = "key"
    compute: str | None = None
    identity: Mapping[str, Any] | None = None
    public_network_access: Literal["enabled", "disabled"] | None = None
    identity_id: pulumi.Input[str] | None = None
    deployment: DeploymentArgs | None = None
    rollout: RolloutArgs = field(default_factory=RolloutArgs)
    smoke_request: str | None = None
    autoscale: AutoscaleArgs | None = None

    def documents(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return the endpoint and its deployment."""
        documents = super().documents()
        if self.deployment is not None:
            definition = written(self.deployment)
            definition |= {**definition.pop("further", {}), "endpoint_name": self.name}
            # Without a slash: what is before one would be the folder that local paths are relative to.
            documents[f"deployment {self.deployment.name} of {self.name}"] = ("deployment", definition)
        return documents

    def planned(self, plan: Catalogue) -> Planned:
        """Return the inputs of both."""
        deployment = next(iter(plan.of("deployment")), None)
        own = _own_inputs(deployment, self.identity_id, self.rollout, self.smoke_request, self.autoscale)
        return Planned.of(plan[self.kind, self.name], self.workspace, **own)


class OnlineEndpoint(Resource[OnlineEndpointArgs], module="azureml", name="OnlineEndpoint"):
    """An online endpoint, its deployment and its traffic.

    A new deployment is an update: deployed without traffic, smoke-tested, given traffic in steps; then the old one is
    deleted. Outputs: `scoring_uri`, `live` (the deployment that has the traffic, or an empty text). Fails when the
    deployment does not start or does not pass a test: then what served before still serves.
    """

    kind = "endpoint"

    scoring_uri: pulumi.Output[str]
    live: pulumi.Output[str]


class EndpointKind(ManagedKind):
    """A managed online endpoint, or a Kubernetes one when it names a `compute`.

    Further inputs: `identity_id` (the user-assigned identity it acts as), `deployment` (None before a first promotion,
    else {name, definition, content_hash, path, files, trees}), `rollout` {steps: percentages, bake_seconds, checks: as
    `ChecksArgs`}, `autoscale` (as `AutoscaleArgs`, or None), `smoke_request` (a JSON file sent to a new deployment
    before it gets traffic, or None), `traffic` (deployment → percent). Outputs: `resource_id`, `scoring_uri`, `live`
    (the deployment that has the traffic, or an empty text: Pulumi keeps no empty outputs).
    """

    name = "endpoint"
    loader = "load_online_endpoint"
    schemas: ClassVar = {
        "managed": "_endpoint.online.online_endpoint:ManagedOnlineEndpointSchema",
        "kubernetes": "_endpoint.online.online_endpoint:KubernetesOnlineEndpointSchema",
    }
    metadata = frozenset({"description", "tags"})
    resource = OnlineEndpoint
    outputs = ("resource_id", "scoring_uri", "live")
    significant = (*ManagedKind.significant, "identity_id", "deployment", "traffic", "autoscale")

    def claims(self, path: str, _document: Document) -> bool:
        """One in `ml/deploy/`, or one in each folder of it."""
        return re.fullmatch(r"ml/deploy/([^/]+/)?endpoint\.yml", path) is not None

    def schema_type(self, document: Document) -> str:
        """A Kubernetes endpoint names its `compute`."""
        return "kubernetes" if "compute" in document.data else "managed"

    def check_name(self, draft: Draft) -> None:
        """Report a name that Azure refuses."""
        if not NAME.fullmatch(draft.id.name):
            draft.problem(("name",), f"'{draft.id.name}' is not a valid endpoint name", NAME_RULE)

    def collect(self, draft: Draft, settings: CatalogueSettings) -> None:
        """Check the compute and the sum of the traffic."""
        data = draft.definition
        compute(draft, ("compute",), data.get("compute"), settings)
        traffic = data.get("traffic")
        if isinstance(traffic, dict) and all(isinstance(share, int) for share in traffic.values()):
            total = sum(traffic.values())
            if total not in {0, 100} or any(share < 0 for share in traffic.values()):
                draft.problem(("traffic",), f"the traffic adds up to {total} %", "make the shares add up to 100 (or 0)")

    def relate(self, draft: Draft, drafts: Drafts) -> None:
        """The endpoint owns its deployment, so it comes after all that the deployment needs."""
        draft.needs += [each.id for each in of_endpoint(draft.id.name, drafts)]

    def check(self, draft: Draft, drafts: Drafts, _settings: CatalogueSettings) -> Iterator[Problem]:
        """Traffic may only go to deployments that exist."""
        traffic = draft.definition.get("traffic")
        for name in traffic if isinstance(traffic, dict) else ():
            if AssetId("deployment", f"{draft.id.name}/{name}") not in drafts:
                fix = f"add `{name}-deployment.yml` beside the endpoint, or remove the share"
                yield draft.document.problem(("traffic", name), f"traffic goes to an unknown deployment '{name}'", fix)

    def declare(self, asset: Asset, stack: Stack) -> OnlineEndpoint:
        """Add what the endpoint serves, once its model is known, and how it takes over."""
        deployment = next((each for each in stack.plan.of("deployment") if each.id in asset.depends_on), None)
        served = deployment if deployment is not None and deployment.waiting_for is None else None
        request = Path(asset.path).parent / SMOKE_REQUEST
        smoke_request = request.as_posix() if (stack.root / request).exists() else None
        scaling = stack.autoscale.get(asset.name)
        own = _own_inputs(served, stack.endpoint_identity, stack.rollout, smoke_request, scaling)
        return OnlineEndpoint(f"endpoint-{asset.name}", stack.planned(asset, **own), stack.options(asset))

    def check_inputs(self, olds: Props, news: Props) -> dict[str, str]:
        """Refuse a managed deployment that takes more vCPUs than the subscription and the run's others leave."""
        wanted, name = news.get("deployment"), self.live_name(news)
        if wanted is None or news.get("location") is None or "compute" in news["definition"]:
            return {}
        size, count = wanted["definition"].get("instance_type"), wanted["definition"].get("instance_count", 1)
        before = _instances(olds) if self.live_name(olds) == name else 0
        if size is None or count <= before:
            return {}
        place = Workspace.of(news)
        is_there = UNKNOWN not in (place.resource_group, place.name)
        ml = connect(place if is_there else Workspace(place.subscription_id, "-", "-"))
        if is_there:
            # An attempt that was cut off has its vCPUs already.
            before = max(before, self._count(ml, news["name"], name))
        if count <= before:
            return {}
        reason = quota.shortage(ml, _taker(news), quota.Need(wanted["path"], size, count, before))
        return {"deployment": f"{wanted['path']}: {reason}"} if reason is not None else {}

    def upsert(self, ml: MLClient, props: Props) -> Props:
        """Create or update the endpoint, then roll the wanted deployment out."""
        quota.begun(_taker(props))
        what = f"endpoint '{props['name']}'"
        # An operation of an attempt that was cut off may still run on it.
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
        """Read endpoint, live deployment, autoscale and traffic back, so that what others changed shows."""
        existing = self._get(ml, props["name"])
        if existing is None:
            return None
        content = (existing.tags or {}).get(ownership.CONTENT, ownership.CHANGED)
        seen = {**props, "content_hash": content, "metadata": ownership.observed(existing, props["metadata"])}
        deployments = {each.name: each for each in ml.online_deployments.list(props["name"])}
        ours = {each for each, it in deployments.items() if ownership.is_ours(it.tags, props["owner"])}
        wanted, name = props.get("deployment"), self.live_name(props)
        # What a cut-off rollout left without traffic shows too, for the next update to delete it.
        traffic = dict.fromkeys(ours - {name}, 0) | shares(existing.traffic)
        if wanted is None or name is None:
            # What others serve on the endpoint is none of ours as long as we serve nothing.
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
        finished(ml.online_endpoints.begin_delete(props["name"]), f"endpoint '{props['name']}'")

    @staticmethod
    def _count(ml: MLClient, endpoint: str, deployment: str | None) -> int:
        from azure.core.exceptions import AzureError

        try:
            return int(ml.online_deployments.get(deployment, endpoint).instance_count or 0)
        except AzureError:  # it is not there, or nothing can be read, as the quota then
            return 0

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

    def _entity(self, props: Props) -> Any:
        definition = self.definition(props)
        if props.get("identity_id") is not None and "identity" not in definition:
            definition["identity"] = {
                "type": "user_assigned",
                "user_assigned_identities": [{"resource_id": props["identity_id"]}],
            }
        return load(self.loader, definition)

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
            yield load("load_online_deployment", here)

    @staticmethod
    def _get(ml: MLClient, name: str) -> Any | None:
        return found(lambda: ml.online_endpoints.get(name))


def _taker(props: Props) -> quota.Taker:
    return quota.Taker(props["workspace"]["subscription_id"], props.get("location") or "", props["name"])


def _instances(props: Props) -> int:
    return int((props.get("deployment") or {}).get("definition", {}).get("instance_count", 1))


def _own_inputs(
    deployment: Asset | None,
    identity_id: pulumi.Input[str] | None,
    rollout: RolloutArgs,
    smoke_request: str | None,
    scaling: AutoscaleArgs | None,
) -> dict[str, Any]:
    wanted = None
    if deployment is not None:
        wanted = {
            "name": deployment.name.partition("/")[2],
            "definition": {**deployment.definition, **deployment.metadata},
            "content_hash": deployment.content_hash,
            "path": deployment.path,
            "files": dict(deployment.files),
            "trees": trees(folders(deployment)),
        }
    live = EndpointKind.live_name({"deployment": wanted})
    how: dict[str, Any] = {"steps": list(rollout.steps), "bake_seconds": rollout.bake_seconds}
    if rollout.checks != ChecksArgs():
        how["checks"] = written(rollout.checks)
    return {
        "deployment": wanted,
        "identity_id": identity_id,
        "rollout": how,
        "smoke_request": smoke_request,
        "traffic": {live: 100} if live else {},
        "autoscale": written(scaling) if scaling is not None else None,
    }


KIND = EndpointKind()
