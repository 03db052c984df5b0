"""The locations of the artifacts of runs and models.

An artifact has an origin, a container and a path. It is stored at `<origin>/<container>/<path>` in the workspace's
artifact store: an artifact of a run at `ExperimentRun/dcid.<run>/…`, one of an upload at `LocalUpload/<container>/…`.
Only amlite has the origin `Models`. It means a registered model, wherever its files are.
"""

from __future__ import annotations

from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.machinelearning import references
from amlite.services.storage.blobs import BlobPath

RUNS = "ExperimentRun"
MODELS = "Models"
_MODEL_ROOT = "model"


def place(platform: Platform, workspace: Json, origin: str, container: str) -> tuple[BlobPath, str]:
    """Return the location of a container's artifacts, and the prefix of its paths that blob names do not have."""
    if origin.lower() == MODELS.lower():
        name, _, version = container.rpartition(":")
        document = references.version(platform, workspace["id"], "models", name, version)
        return references.location(platform, workspace["id"], document.id, "models"), _MODEL_ROOT
    store = f"azureml://datastores/workspaceartifactstore/paths/{origin}/{container}"
    return references.location(platform, workspace["id"], store), ""
