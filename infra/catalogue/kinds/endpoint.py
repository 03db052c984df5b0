"""Online endpoints: `ml/deploy/endpoint.yml`, or `ml/deploy/<folder>/endpoint.yml` for more than one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from infra.catalogue.assets import AssetId, Draft
from infra.catalogue.documents import Document
from infra.catalogue.kinds.kind import Drafts, Kind, compute
from infra.catalogue.problems import Problem
from infra.catalogue.settings import CatalogueSettings

ENDPOINT_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9]|-(?=[A-Za-z0-9])){1,30}[A-Za-z0-9]")
NAME_RULE = "use 3 to 32 letters, digits and single '-', starting with a letter and not ending with '-'"


class EndpointKind(Kind):
    """A managed online endpoint, or a Kubernetes one when it names a `compute`."""

    name = "endpoint"
    versioned = False
    metadata = frozenset({"description", "tags"})

    def claims(self, path: str, _document: Document) -> bool:
        """One in `ml/deploy/`, or one in each folder of it."""
        return re.fullmatch(r"ml/deploy/([^/]+/)?endpoint\.yml", path) is not None

    def schema_type(self, document: Document) -> str:
        """A Kubernetes endpoint names its `compute`."""
        return "kubernetes" if "compute" in document.data else "managed"

    def check_name(self, draft: Draft) -> None:
        """Report a name that Azure refuses."""
        if not ENDPOINT_NAME.fullmatch(draft.id.name):
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

    def check(self, draft: Draft, drafts: Drafts, _settings: CatalogueSettings) -> Iterator[Problem]:
        """Traffic may only go to deployments that exist."""
        traffic = draft.definition.get("traffic")
        for name in traffic if isinstance(traffic, dict) else ():
            if AssetId("deployment", f"{draft.id.name}/{name}") not in drafts:
                fix = f"add `{name}-deployment.yml` beside the endpoint, or remove the share"
                yield draft.document.problem(("traffic", name), f"traffic goes to an unknown deployment '{name}'", fix)
