"""Models: `ml/**/model.yml`. From local files, a job's output or a registry."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pulumi_azureml.operations.versioned import VersionedKind
from pulumi_azureml.planning.documents import Document
from pulumi_azureml.planning.drafts import Draft, is_local, source
from pulumi_azureml.planning.settings import CatalogueSettings
from pulumi_azureml.resources.resource import Arguments, Resource

_WANTED = {"mlflow_model": "folder", "triton_model": "folder"}
# Where in the cloud a model's files may lie: a datastore (short, or with its workspace), a job's output, a registry.
_PLACES = re.compile(
    r"azureml://(subscriptions/[^/]+/resourcegroups/[^/]+/(providers/[^/]+/)?workspaces/[^/]+/)?datastores/[^/]+/paths/.+"
    r"|azureml://jobs/[^/]+/outputs/[^/]+(/paths/.*)?"
    r"|azureml://registries/[^/]+/models/[^/]+/versions/[^/]+"
    r"|runs:/[^/]+/.+"
    r"|(https|wasbs|abfss)://.+",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class ModelArgs(Arguments):
    """Arguments of `Model`: the keys of its CLI v2 YAML.

    Attributes:
        version: pins the version; without it the version is the content's hash.
        type: the model's format.
        path: relative to the project, and uploaded; or where it lies: a job's output (`azureml://jobs/…/outputs/…`,
            `runs:/…`), a datastore, or a model of a registry (`azureml://registries/…/models/…/versions/…`).
        flavors: of an MLflow model, read from its MLmodel file when they are not given.
        properties: what cannot change after registration, such as lineage.
    """

    kind = "model"

    version: str | None = None
    type: Literal["custom_model", "mlflow_model", "triton_model"] = "custom_model"
    path: str
    flavors: Mapping[str, Any] | None = None
    properties: Mapping[str, str] | None = None


class Model(Resource[ModelArgs], module="azureml", name="Model"):
    """A model version.

    New content is a new version under the same resource, the old one stays; description and tags are updated in place;
    removal archives. Fails when the version exists and is another stack's, or has other content.
    """

    kind = "model"


class ModelKind(VersionedKind):
    """A model from local files, a job's output or a registry. Most models are registered by a pipeline instead."""

    name = "model"
    loader = "load_model"
    schemas: ClassVar = {"": "assets.model:ModelSchema"}
    operations = "models"
    resource = Model

    def claims(self, path: str, _document: Document) -> bool:
        """Anywhere below `ml/`."""
        return path.startswith("ml/") and posixpath.basename(path) == "model.yml"

    def collect(self, draft: Draft, _settings: CatalogueSettings) -> None:
        """Note the local file or folder; anything else has to be a place that Azure reads models from."""
        data = draft.definition
        path = data.get("path")
        source(draft, ("path",), path, wanted=_WANTED.get(str(data.get("type")), "any"))
        if isinstance(path, str) and not is_local(path) and not _PLACES.fullmatch(path):
            fix = (
                "use a path in the project, `azureml://jobs/JOB/outputs/NAME/paths/...`, `runs:/RUN/PATH`, "
                "`azureml://datastores/NAME/paths/...` or `azureml://registries/NAME/models/MODEL/versions/VERSION`"
            )
            draft.problem(("path",), f"'{path}' is no place of a model", fix)


KIND = ModelKind()
