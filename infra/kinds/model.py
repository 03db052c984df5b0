"""Models: `ml/**/model.yml`. From local files, a job's output or a registry."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from infra.azureml.resource import Arguments, Resource
from infra.azureml.versioned import VersionedKind
from infra.catalogue.documents import Document
from infra.catalogue.drafts import Draft, source
from infra.catalogue.settings import CatalogueSettings

_WANTED = {"mlflow_model": "folder", "triton_model": "folder"}


@dataclass(frozen=True, kw_only=True)
class ModelArgs(Arguments):
    """Arguments of `Model`: the keys of its CLI v2 YAML.

    Attributes:
        version: pins the version; without it the version is the content's hash.
        type: the model's format.
        path: relative to the project, and uploaded; or a job's output (`azureml://jobs/…/outputs/…`), or a cloud path.
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
        """Note the local file or folder."""
        data = draft.definition
        source(draft, ("path",), data.get("path"), wanted=_WANTED.get(str(data.get("type")), "any"))


KIND = ModelKind()
