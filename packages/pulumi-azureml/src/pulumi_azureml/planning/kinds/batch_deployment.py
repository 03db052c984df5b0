"""Batch deployments of a model or a pipeline component: `*-deployment.yml` beside a batch endpoint."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

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
from pulumi_azureml.planning.documents import Document, KeyPath
from pulumi_azureml.planning.drafts import Draft, Drafts, compute, use
from pulumi_azureml.planning.kind import Kind
from pulumi_azureml.planning.problems import Problem
from pulumi_azureml.planning.settings import CatalogueSettings

# What only the first version of the YAML has at the top. Today, it is in `settings`.
_OLD = frozenset(
    {
        "logging_level",
        "max_concurrency_per_instance",
        "mini_batch_size",
        "output_action",
        "output_file_name",
        "retry_settings",
    }
)
_SETTINGS = _OLD | {"environment_variables", "error_threshold"}
# Azure's, if the file has none. azure-ai-ml wants one in `settings`.
_MINI_BATCH = {"mini_batch_size": 10}


class BatchDeploymentKind(Kind):
    """A deployment of a model or a pipeline component. Its name is `<endpoint>/<deployment>`."""

    name = "batch_deployment"
    loader = "load_model_batch_deployment"
    schemas: ClassVar = {
        "model": "_deployment.batch.model_batch_deployment:ModelBatchDeploymentSchema",
        "pipeline": "_deployment.batch.pipeline_component_batch_deployment_schema:"
        "PipelineComponentBatchDeploymentSchema",
    }
    metadata = frozenset({"description", "tags"})

    def claims(self, path: str) -> bool:
        """Claim the files beside the endpoint's file."""
        return re.fullmatch(r"ml/batch/([^/]+/)?[^/]+-deployment\.yml", path) is not None

    def modernised(self, document: Document) -> Document:
        """Move the settings of a file without a `type` into `settings`: with one, `az ml` refuses them at the top."""
        if not _OLD & document.data.keys() or {"type", "settings"} & document.data.keys():
            return document
        settings = {key: value for key, value in document.data.items() if key in _SETTINGS}
        data = {key: value for key, value in document.data.items() if key not in _SETTINGS}
        return dataclasses.replace(
            document,
            data={**data, "settings": _MINI_BATCH | settings},
            lines=_moved(document.lines),
            set_by=_moved(document.set_by),
            written=_moved(document.written),
        )

    def schema_type(self, document: Document) -> str:
        """Return the deployment's type, which is `model` by default."""
        return str(document.data.get("type", "model"))

    def loader_of(self, definition: Definition) -> str:
        """Return the loader that `az ml` chooses by `type:`."""
        return "load_pipeline_component_batch_deployment" if definition.get("type") == "pipeline" else self.loader

    def asset_name(self, document: Document) -> str:
        """Return `<endpoint>/<deployment>`."""
        return deployment_name(document)

    def azure_name(self, name: str, settings: CatalogueSettings) -> str:
        """Return the name with the endpoint's name in Azure."""
        return deployment_azure_name(name, settings)

    def check_name(self, draft: Draft) -> None:
        """Report a name that Azure refuses."""
        check_deployment_name(draft)

    def collect(self, draft: Draft, settings: CatalogueSettings) -> None:
        """Collect model, code and environment, or the component. Check the compute."""
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
        """Order the deployment after its model."""
        relate_model(draft, drafts)

    def finish(self, draft: Draft, resolved: Mapping[AssetId, Asset]) -> None:
        """Add the model that must already exist."""
        finish_model(draft, resolved)

    def check(self, draft: Draft, drafts: Drafts, _settings: CatalogueSettings) -> Iterator[Problem]:
        """Check that the endpoint and the scoring script exist, and the settings that azure-ai-ml requires."""
        yield from check_endpoint(draft, drafts, "batch_endpoint")
        given = draft.definition.get("settings")
        if self.schema_type(draft.document) == "model" and isinstance(given, dict) and "mini_batch_size" not in given:
            message = "'mini_batch_size' is missing in 'settings'"
            yield draft.document.problem(("settings",), message, "add `mini_batch_size:`, the number of files per call")
        yield from check_scoring_script(draft)


def _moved(places: Mapping[KeyPath, Any]) -> dict[KeyPath, Any]:
    """Return the values of places, with those of settings below `settings`."""
    return {("settings", *place) if place and place[0] in _SETTINGS else place: each for place, each in places.items()}


KIND = BatchDeploymentKind()
