"""Models: `ml/**/model.yml`. From local files, a job's output or a registry."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import ClassVar

from pulumi_azureml.planning import templates
from pulumi_azureml.planning.assets import Asset, AssetId
from pulumi_azureml.planning.drafts import Draft, Drafts, check_in_registry, is_local, source, use
from pulumi_azureml.planning.kind import Kind
from pulumi_azureml.planning.problems import Problem
from pulumi_azureml.planning.references import in_registry
from pulumi_azureml.planning.settings import CatalogueSettings

_WANTED = {"mlflow_model": "folder", "triton_model": "folder"}
# The cloud paths of a model: a datastore (short, or with its workspace), a job's output, a registry.
_PLACES = re.compile(
    r"azureml://(subscriptions/[^/]+/resourcegroups/[^/]+/(providers/[^/]+/)?workspaces/[^/]+/)?datastores/[^/]+/paths/.+"
    r"|azureml://jobs/[^/]+/outputs/[^/]+(/paths/.*)?"
    r"|azureml://registries/[^/]+/models/[^/]+/versions/[^/]+"
    r"|runs:/[^/]+/.+"
    r"|(https|wasbs|abfss)://.+",
    re.IGNORECASE,
)


class ModelKind(Kind):
    """A model from local files, a job's output or a registry. Most models are registered by a pipeline instead."""

    name = "model"
    loader = "load_model"
    schemas: ClassVar = {"": "assets.model:ModelSchema"}
    versioned = True
    metadata = Kind.metadata | {templates.DEFAULT, templates.ALLOWED}

    def claims(self, path: str) -> bool:
        """Claim files anywhere below `ml/`."""
        return path.startswith("ml/") and posixpath.basename(path) == "model.yml"

    def collect(self, draft: Draft, _settings: CatalogueSettings) -> None:
        """Collect the local file or folder, and the deployment templates.

        Report any other path that Azure cannot read a model from.
        """
        data = draft.definition
        path = data.get("path")
        if path is None:
            draft.problem(("path",), "'path' is missing or empty", "add the `path:` of the model's file or folder")
        source(draft, ("path",), path, wanted=_WANTED.get(str(data.get("type")), "any"))
        if isinstance(path, str) and in_registry(path) is not None:
            use(draft, ("path",), self.name, path)
        if isinstance(path, str) and not is_local(path) and not _PLACES.fullmatch(path):
            fix = (
                "use a path in the project, `azureml://jobs/JOB/outputs/NAME/paths/...`, `runs:/RUN/PATH`, "
                "`azureml://datastores/NAME/paths/...` or `azureml://registries/NAME/models/MODEL/versions/VERSION`"
            )
            draft.problem(("path",), f"'{path}' is not a valid path of a model", fix)
        templates.collect_of_model(draft)

    def check(self, draft: Draft, _drafts: Drafts, _settings: CatalogueSettings) -> Iterator[Problem]:
        """Check the deployment templates that no file defines."""
        yield from check_in_registry(draft, templates.KIND)

    def finish(self, draft: Draft, resolved: Mapping[AssetId, Asset]) -> None:
        """Name the allowed deployment templates as Azure wants them."""
        templates.finish_model(draft, resolved)


KIND = ModelKind()
