"""Batch deployments: `*-deployment.yml` beside a batch endpoint. A model, or a pipeline component."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar

from pulumi_azureml.planning.assets import Asset, AssetId, Definition
from pulumi_azureml.planning.deployments import (
    check_deployment_name,
    check_endpoint,
    check_scoring_script,
    collect_scoring,
    deployment_azure_name,
    deployment_name,
    finish_model,
    relate_model,
)
from pulumi_azureml.planning.documents import Document
from pulumi_azureml.planning.drafts import Draft, Drafts, compute, use
from pulumi_azureml.planning.kind import Kind
from pulumi_azureml.planning.problems import Problem
from pulumi_azureml.planning.settings import CatalogueSettings


class BatchDeploymentKind(Kind):
    """A deployment of a model or a pipeline component. It is called `<endpoint>/<deployment>`."""

    name = "batch_deployment"
    loader = "load_model_batch_deployment"
    schemas: ClassVar = {
        "model": "_deployment.batch.model_batch_deployment:ModelBatchDeploymentSchema",
        "pipeline": "_deployment.batch.pipeline_component_batch_deployment_schema:"
        "PipelineComponentBatchDeploymentSchema",
    }
    metadata = frozenset({"description", "tags"})

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

    def azure_name(self, name: str, settings: CatalogueSettings) -> str:
        """With the endpoint's name in Azure."""
        return deployment_azure_name(name, settings)

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

    def finish(self, draft: Draft, resolved: Mapping[AssetId, Asset]) -> None:
        """Note a model that has to exist already."""
        finish_model(draft, resolved)

    def check(self, draft: Draft, drafts: Drafts, _settings: CatalogueSettings) -> Iterator[Problem]:
        """The endpoint and the scoring script have to be there, and what azure-ai-ml wants of settings."""
        yield from check_endpoint(draft, drafts, "batch_endpoint")
        given = draft.definition.get("settings")
        if self.schema_type(draft.document) == "model" and isinstance(given, dict) and "mini_batch_size" not in given:
            message = "'mini_batch_size' is missing in 'settings'"
            yield draft.document.problem(("settings",), message, "add `mini_batch_size:`, how many files a call gets")
        yield from check_scoring_script(draft)


KIND = BatchDeploymentKind()
