"""Online endpoints: `ml/deploy/endpoint.yml`, or `ml/deploy/<folder>/endpoint.yml` for more than one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from pulumi_azureml.planning.assets import AssetId
from pulumi_azureml.planning.deployments import (
    check_azure_name,
    check_endpoint_name,
    check_identity,
    of_endpoint,
    same_azure_name,
)
from pulumi_azureml.planning.documents import Document
from pulumi_azureml.planning.drafts import Draft, Drafts, compute
from pulumi_azureml.planning.jobs import mapping
from pulumi_azureml.planning.kind import Kind
from pulumi_azureml.planning.problems import Problem
from pulumi_azureml.planning.settings import CatalogueSettings


class OnlineEndpointKind(Kind):
    """A managed online endpoint, or a Kubernetes online endpoint if it names a `compute`."""

    name = "online_endpoint"
    hashed_as = "endpoint"
    loader = "load_online_endpoint"
    schemas: ClassVar = {
        "managed": "_endpoint.online.online_endpoint:ManagedOnlineEndpointSchema",
        "kubernetes": "_endpoint.online.online_endpoint:KubernetesOnlineEndpointSchema",
    }
    metadata = frozenset({"description", "tags"})

    def claims(self, path: str) -> bool:
        """Claim one file in `ml/deploy/`, or one in each of its folders."""
        return re.fullmatch(r"ml/deploy/([^/]+/)?endpoint\.yml", path) is not None

    def schema_type(self, document: Document) -> str:
        """Return `kubernetes` for an endpoint with a `compute`."""
        return "kubernetes" if "compute" in document.data else "managed"

    def azure_name(self, name: str, settings: CatalogueSettings) -> str:
        """Return the name in Azure. It is unique in a region, so the program can have a rule for it."""
        return settings.endpoint_name(name)

    def check_name(self, draft: Draft) -> None:
        """Report a name that Azure refuses."""
        check_endpoint_name(draft)

    def collect(self, draft: Draft, settings: CatalogueSettings) -> None:
        """Check the name in Azure, the compute and the sum of the traffic. Close endpoints that may not be public."""
        check_azure_name(draft, settings)
        check_identity(draft)
        data = draft.definition
        if not settings.public_endpoints and "compute" not in data:
            data.setdefault("public_network_access", "disabled")
        compute(draft, ("compute",), data.get("compute"), settings)
        traffic = data.get("traffic")
        if isinstance(traffic, dict) and all(isinstance(share, int) for share in traffic.values()):
            total = sum(traffic.values())
            if total not in {0, 100} or any(share < 0 for share in traffic.values()):
                draft.problem(("traffic",), f"the traffic adds up to {total} %", "make the shares add up to 100 (or 0)")

    def relate(self, draft: Draft, drafts: Drafts) -> None:
        """Order the endpoint after everything that its deployment needs, because it owns the deployment."""
        draft.needs += [each.id for each in of_endpoint(draft.id.name, drafts, "online_deployment")]

    def check(self, draft: Draft, drafts: Drafts, settings: CatalogueSettings) -> Iterator[Problem]:
        """Report traffic to deployments that do not exist. Names are host names."""
        yield from same_azure_name(draft, drafts, settings)
        traffic = mapping(draft.definition.get("traffic"))
        for key in ("traffic", "mirror_traffic"):
            for name in mapping(draft.definition.get(key)):
                if AssetId("online_deployment", f"{draft.id.name}/{name}") not in drafts:
                    fix = f"add `{name}-deployment.yml` beside the endpoint, or remove the share"
                    yield draft.document.problem((key, name), f"traffic goes to an unknown deployment '{name}'", fix)
                elif key == "mirror_traffic" and traffic.get(name):
                    message = f"deployment '{name}' gets live traffic, so that none can be mirrored to it"
                    yield draft.document.problem((key, name), message, "remove one of the two shares")


KIND = OnlineEndpointKind()
