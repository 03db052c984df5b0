"""Online deployments: `ml/deploy/*-deployment.yml`, or `ml/deploy/<folder>/*-deployment.yml`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar

from pulumi_azureml.planning import templates
from pulumi_azureml.planning.assets import Asset, AssetId
from pulumi_azureml.planning.collector import check_collector
from pulumi_azureml.planning.deployments import (
    check_deployment_name,
    check_endpoint,
    check_scoring_script,
    check_size,
    collect_scoring,
    deployment_azure_name,
    deployment_name,
    finish_model,
    of_endpoint,
    relate_model,
)
from pulumi_azureml.planning.documents import Document
from pulumi_azureml.planning.drafts import Draft, Drafts
from pulumi_azureml.planning.kind import Kind
from pulumi_azureml.planning.problems import Problem
from pulumi_azureml.planning.settings import CatalogueSettings


class OnlineDeploymentKind(Kind):
    """A deployment of a model to an endpoint. The stack's configuration picks the model's version.

    If the YAML refers to `azureml:NAME` or `azureml:NAME@latest` and no version has been accepted yet, the deployment
    is checked and planned, and waits.
    """

    name = "online_deployment"
    hashed_as = "deployment"
    loader = "load_online_deployment"
    schemas: ClassVar = {
        "managed": "_deployment.online.online_deployment:ManagedOnlineDeploymentSchema",
        "kubernetes": "_deployment.online.online_deployment:KubernetesOnlineDeploymentSchema",
    }
    # Azure changes these on a running deployment without restarting it (docs/adr/0032).
    metadata = frozenset({"description", "tags", "instance_count", "scale_settings"})

    def claims(self, path: str) -> bool:
        """Claim the files beside the endpoint's file."""
        return re.fullmatch(r"ml/deploy/([^/]+/)?[^/]+-deployment\.yml", path) is not None

    def schema_type(self, document: Document) -> str:
        """Return the deployment's type, which is `managed` by default."""
        return "kubernetes" if document.data.get("type") == "kubernetes" else "managed"

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
        """Collect environment, code and model. Check the sizes and the data collector."""
        data = draft.definition
        collect_scoring(draft, settings)
        templates.collect_of_deployment(draft)
        check_collector(draft)
        if self.schema_type(draft.document) == "managed":
            check_size(draft, ("instance_type",), data.get("instance_type"))
        scale = data.get("scale_settings")
        is_managed = self.schema_type(draft.document) == "managed"
        if is_managed and isinstance(scale, dict) and str(scale.get("type")).lower() == "target_utilization":
            fix = "remove it, and use the autoscale of the rollout, or a Kubernetes deployment"
            message = "a managed deployment has no `type: target_utilization`: Azure Monitor scales it"
            draft.problem(("scale_settings", "type"), message, fix)
        count = data.get("instance_count")
        if isinstance(count, int) and count < 1:
            draft.problem(("instance_count",), f"instance_count is {count}", "use 1 or more")

    def relate(self, draft: Draft, drafts: Drafts) -> None:
        """Order the deployment after its model."""
        relate_model(draft, drafts)

    def finish(self, draft: Draft, resolved: Mapping[AssetId, Asset]) -> None:
        """Add the model that must already exist, and the deployment template of one that does not."""
        templates.finish_deployment(draft, finish_model(draft, resolved))

    def check(self, draft: Draft, drafts: Drafts, _settings: CatalogueSettings) -> Iterator[Problem]:
        """Check that the endpoint and the scoring script exist."""
        yield from check_endpoint(draft, drafts, "online_endpoint")
        name = draft.id.name.partition("/")[0]
        for other in of_endpoint(name, drafts, self.name):
            if other.id < draft.id:
                yield draft.document.problem(
                    ("endpoint_name",),
                    f"endpoint '{name}' already has its deployment in {other.document.path}",
                    "keep one of the two; a rollout creates the second deployment itself",
                )
        yield from check_scoring_script(draft)
        yield from templates.check_deployment(draft, drafts)


KIND = OnlineDeploymentKind()
