"""Batch deployments: `*-deployment.yml` beside a batch endpoint. A model, or a pipeline component."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pulumi

from pulumi_azureml.kinds.batch_endpoint import BatchEndpoint, default_deployment
from pulumi_azureml.kinds.component import Component
from pulumi_azureml.kinds.deployment import (
    CodeConfiguration,
    check_deployment_name,
    check_endpoint,
    check_scoring_script,
    collect_scoring,
    deployment_name,
    relate_model,
)
from pulumi_azureml.kinds.environment import Environment
from pulumi_azureml.kinds.model import Model
from pulumi_azureml.operations import ownership
from pulumi_azureml.operations.errors import AssetError
from pulumi_azureml.operations.managed import ManagedKind, Props, found
from pulumi_azureml.operations.retry import confirmed, finished
from pulumi_azureml.operations.staging import load, staged
from pulumi_azureml.planning.assets import Asset, AssetId, Definition
from pulumi_azureml.planning.catalogue import Catalogue
from pulumi_azureml.planning.documents import Document
from pulumi_azureml.planning.drafts import Draft, Drafts, compute, use
from pulumi_azureml.planning.problems import Problem
from pulumi_azureml.planning.settings import CatalogueSettings
from pulumi_azureml.resources.resource import Arguments, Planned, Resource
from pulumi_azureml.resources.stack import Stack

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

_MAX_NAME = 32
_HASH = 8


@dataclass(frozen=True, kw_only=True)
class BatchDeploymentArgs(Arguments):
    """Arguments of `BatchDeployment`: the keys of its CLI v2 YAML.

    Attributes:
        endpoint_name: the endpoint, or its name.
        is_default: whether an invocation that names no deployment begins this one.
        type: `model`, or `pipeline` for a pipeline component.
        model: a resource, or `azureml:NAME:VERSION`, or one of a registry.
        environment: a resource, or `azureml:NAME:VERSION`; none for an MLflow model.
        code_configuration: the scoring code; none for an MLflow model.
        compute: the cluster that the jobs run on.
        resources: `{"instance_count": …}`.
        component: of a pipeline deployment: a resource, or `azureml:NAME:VERSION`.
        settings: of the mini batches (`mini_batch_size`, `output_action`, `error_threshold`, …), or of the pipeline
            (`default_compute`, `continue_on_step_failure`, …).
    """

    kind = "batch_deployment"
    apart = Arguments.apart | {"is_default"}

    endpoint_name: BatchEndpoint | str
    is_default: bool = True
    type: Literal["model", "pipeline"] = "model"
    model: Model | str | None = None
    environment: Environment | str | None = None
    code_configuration: CodeConfiguration | None = None
    compute: str | None = None
    resources: Mapping[str, Any] | None = None
    component: Component | str | None = None
    settings: Mapping[str, Any] | None = None

    def documents(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return the deployment and the endpoint it is of."""
        definition = self.definition()
        definition["endpoint_name"] = _named(self.endpoint_name)
        endpoint = {"name": definition["endpoint_name"], "auth_mode": "aad_token"}
        return {
            f"batch endpoint {definition['endpoint_name']}": ("batch_endpoint", endpoint),
            f"batch deployment {self.name}": (self.kind, definition),
        }

    def planned(self, plan: Catalogue) -> Planned:
        """Return the deployment's inputs."""
        asset = plan[self.kind, f"{_named(self.endpoint_name)}/{self.name}"]
        return Planned.of(asset, self.workspace, is_default=self.is_default)


class BatchDeployment(Resource[BatchDeploymentArgs], module="azureml", name="BatchDeployment"):
    """A deployment of a batch endpoint.

    New content is a new deployment beside the old one, which becomes the endpoint's default where this is the default;
    then the old one is deleted. Removal deletes it. Output: `live` (its name in Azure). Fails when Azure refuses the
    new one: then the old one is still there and still the default.
    """

    kind = "batch_deployment"

    live: pulumi.Output[str]


class BatchDeploymentKind(ManagedKind):
    """A deployment of a model or a pipeline component. Its resource's name is `<endpoint>/<deployment>`.

    Further input: `is_default`. Further output: `live`, its name in Azure: that in the YAML and the beginning of its
    content hash.
    """

    name = "batch_deployment"
    loader = "load_model_batch_deployment"
    schemas: ClassVar = {
        "model": "_deployment.batch.model_batch_deployment:ModelBatchDeploymentSchema",
        "pipeline": "_deployment.batch.pipeline_component_batch_deployment_schema:"
        "PipelineComponentBatchDeploymentSchema",
    }
    metadata = frozenset({"description", "tags"})
    resource = BatchDeployment
    outputs = ("resource_id", "live")
    significant = (*ManagedKind.significant, "is_default")

    def claims(self, path: str, _document: Document) -> bool:
        """Beside the endpoint's file."""
        return re.fullmatch(r"ml/batch/([^/]+/)?[^/]+-deployment\.yml", path) is not None

    def schema_type(self, document: Document) -> str:
        """Of a model unless it says otherwise."""
        return str(document.data.get("type", "model"))

    def loader_of(self, definition: Definition) -> str:
        """As `az ml` chooses by the `type:`."""
        return "load_pipeline_component_batch_deployment" if definition.get("type") == "pipeline" else self.loader

    def asset_name(self, document: Document) -> str:
        """`<endpoint>/<deployment>`."""
        return deployment_name(document)

    def check_name(self, draft: Draft) -> None:
        """Report a name that Azure refuses."""
        check_deployment_name(draft)

    def collect(self, draft: Draft, settings: CatalogueSettings) -> None:
        """Note model, code and environment, or the component; check the compute."""
        data = draft.definition
        draft.needs.append(AssetId("batch_endpoint", draft.id.name.partition("/")[0]))
        if self.schema_type(draft.document) == "pipeline":
            use(draft, ("component",), "component", data.get("component"))
            given = data.get("settings")
            if isinstance(given, dict):
                compute(draft, ("settings", "default_compute"), given.get("default_compute"), settings)
            return
        compute(draft, ("compute",), data.get("compute"), settings)
        collect_scoring(draft, settings)

    def relate(self, draft: Draft, drafts: Drafts) -> None:
        """Come after the model."""
        relate_model(draft, drafts)

    def check(self, draft: Draft, drafts: Drafts, _settings: CatalogueSettings) -> Iterator[Problem]:
        """The endpoint and the scoring script have to be there, and what azure-ai-ml wants of settings."""
        yield from check_endpoint(draft, drafts, "batch_endpoint")
        given = draft.definition.get("settings")
        if self.schema_type(draft.document) == "model" and isinstance(given, dict) and "mini_batch_size" not in given:
            message = "'mini_batch_size' is missing in 'settings'"
            yield draft.document.problem(("settings",), message, "add `mini_batch_size:`, how many files a call gets")
        yield from check_scoring_script(draft)

    def declare(self, asset: Asset, stack: Stack) -> BatchDeployment | None:
        """Add whether it is the endpoint's default, once its model is known."""
        if asset.waiting_for is not None:
            return None
        endpoint, _, name = asset.name.partition("/")
        default = default_deployment(stack.plan["batch_endpoint", endpoint].definition)
        planned = stack.planned(asset, is_default=default in (None, name))
        return BatchDeployment(f"batch_deployment-{asset.name}", planned, stack.options(asset))

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
        """Read it back; what others changed shows in `content_hash` and `is_default`."""
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
            # Another deployment's being the default as well is no matter of this one.
            "is_default": props["is_default"] and is_default,
        }

    def remove(self, ml: MLClient, props: Props) -> None:
        """Delete it; a default deployment, which Azure would refuse to delete, stops being it first."""
        there = confirmed(lambda: self._versions(ml, props) or None)
        self._sweep(ml, props, there or {}, keep=None)

    @staticmethod
    def _endpoint(props: Props) -> str:
        return str(props["definition"]["endpoint_name"])

    def _create(self, ml: MLClient, props: Props, endpoint: str, live: str) -> Any:
        from azure.core.exceptions import AzureError, HttpResponseError

        try:
            with staged({**self.definition(props), "name": live}, props.get("trees", []), props["path"]) as here:
                making = ml.batch_deployments.begin_create_or_update(load(self.loader_of(here), here))
                return finished(making, f"batch deployment '{live}'")
        except AzureError as error:
            reason = f"batch deployment '{live}' on endpoint '{endpoint}' was not made: {error}"
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
        """Delete this resource's other deployments: the old one, and what cut-off attempts left."""
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
        from azure.core.exceptions import ResourceNotFoundError

        try:
            finished(ml.batch_deployments.begin_delete(name=name, endpoint_name=endpoint), f"batch deployment '{name}'")
        except ResourceNotFoundError:
            return

    def _versions(self, ml: MLClient, props: Props) -> dict[str, Any]:
        """Return the deployments in Azure that are called as versions of this one, by name."""
        there = found(lambda: list(ml.batch_deployments.list(self._endpoint(props)))) or []
        pattern = re.compile(re.escape(live_name(props)[:-_HASH]) + rf"[0-9a-f]{{{_HASH}}}")
        return {each.name: each for each in there if pattern.fullmatch(each.name)}

    @staticmethod
    def _changed(existing: Any, props: Props) -> bool:
        return (
            not ownership.is_ours(existing.tags, props["owner"])
            or (existing.tags or {}).get(ownership.CONTENT) != props["content_hash"]
            or ownership.observed(existing, props["metadata"]) != props["metadata"]
        )


def live_name(props: Props) -> str:
    """Return the deployment's name in Azure; the same content has the same name, so a cut-off attempt is found."""
    name = props["name"].partition("/")[2]
    return f"{name[: _MAX_NAME - _HASH - 1]}-{props['content_hash'][:_HASH]}"


def _is_default(endpoint: Any, live: str) -> bool:
    """Whether an endpoint, the client's entity, has that deployment as its default; it may have none."""
    return endpoint.defaults is not None and endpoint.defaults.deployment_name == live


def _named(endpoint: BatchEndpoint | str) -> str:
    return endpoint if isinstance(endpoint, str) else endpoint.azure_name


KIND = BatchDeploymentKind()
