"""Online endpoints: `ml/deploy/endpoint.yml`, or `ml/deploy/<folder>/endpoint.yml` for more than one.

One resource owns an endpoint, its deployment and its traffic.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pulumi

from infra.azureml import ownership
from infra.azureml.managed import ManagedKind, Props
from infra.azureml.resource import Arguments, Planned, Resource, folders, trees, written
from infra.azureml.rollout import Rollout, shares
from infra.azureml.stack import Stack
from infra.azureml.staging import load, staged
from infra.catalogue.assets import Asset, AssetId
from infra.catalogue.catalogue import Catalogue
from infra.catalogue.documents import Document
from infra.catalogue.drafts import Draft, Drafts, compute
from infra.catalogue.problems import Problem
from infra.catalogue.settings import CatalogueSettings
from infra.kinds.deployment import NAME, NAME_RULE, DeploymentArgs, of_endpoint

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

SMOKE_REQUEST = "sample-request.json"
_MAX_NAME = 32
_HASH = 8


@dataclass(frozen=True)
class RolloutArgs:
    """How a new deployment takes over: traffic percentages in order (the last is 100), and the wait between them."""

    steps: tuple[int, ...] = (100,)
    bake_seconds: float = 0.0


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
    """

    kind = "endpoint"
    apart = Arguments.apart | {"identity_id", "deployment", "rollout", "smoke_request"}

    auth_mode: Literal["key", "aml_token", "aad_token"] = "key"
    compute: str | None = None
    identity: Mapping[str, Any] | None = None
    public_network_access: Literal["enabled", "disabled"] | None = None
    identity_id: pulumi.Input[str] | None = None
    deployment: DeploymentArgs | None = None
    rollout: RolloutArgs = RolloutArgs()
    smoke_request: str | None = None

    def documents(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return the endpoint and its deployment."""
        documents = super().documents()
        if self.deployment is not None:
            definition = written(self.deployment)
            definition |= {**definition.pop("further", {}), "endpoint_name": self.name}
            documents[f"deployment {self.name}/{self.deployment.name}"] = ("deployment", definition)
        return documents

    def planned(self, plan: Catalogue) -> Planned:
        """Return the inputs of both."""
        deployment = next(iter(plan.of("deployment")), None)
        own = _own_inputs(deployment, self.identity_id, self.rollout, self.smoke_request)
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
    else {name, definition, content_hash, path, files, trees}), `rollout` {steps: percentages, bake_seconds},
    `smoke_request` (a JSON file sent to a new deployment before it gets traffic, or None), `traffic`
    (deployment → percent). Outputs: `resource_id`, `scoring_uri`, `live` (the deployment that has the traffic, or an
    empty text: Pulumi keeps no empty outputs).
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
    significant = (*ManagedKind.significant, "identity_id", "deployment", "traffic")

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
        own = _own_inputs(served, stack.endpoint_identity, stack.rollout, smoke_request)
        return OnlineEndpoint(f"endpoint-{asset.name}", stack.planned(asset, **own), stack.options(asset))

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
        tags = ownership.tagged(props["metadata"].get("tags"), props["owner"], props["content_hash"])
        definition = {**props["definition"], **props["metadata"], "name": props["name"], "tags": tags}
        if props.get("identity_id") is not None and "identity" not in definition:
            definition["identity"] = {
                "type": "user_assigned",
                "user_assigned_identities": [{"resource_id": props["identity_id"]}],
            }
        return load("load_online_endpoint", definition)

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
        from azure.core.exceptions import ResourceNotFoundError

        try:
            return ml.online_endpoints.get(name)
        except ResourceNotFoundError:
            return None


def _own_inputs(
    deployment: Asset | None, identity_id: pulumi.Input[str] | None, rollout: RolloutArgs, smoke_request: str | None
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
    return {
        "deployment": wanted,
        "identity_id": identity_id,
        "rollout": {"steps": list(rollout.steps), "bake_seconds": rollout.bake_seconds},
        "smoke_request": smoke_request,
        "traffic": {live: 100} if live else {},
    }


KIND = EndpointKind()
