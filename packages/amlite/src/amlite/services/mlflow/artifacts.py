"""Where the artifacts of runs and models lie.

An artifact is named by origin, container and path, and lies at `<origin>/<container>/<path>` in the workspace's
artifact store: a run's at `ExperimentRun/dcid.<run>/…`, an upload's at `LocalUpload/<container>/…`. The origin `Models`
is amlite's own: a registered model, wherever its files lie.
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
    """Return the location of a container's artifacts, and the prefix of its paths that the blob names lack."""
    if origin.lower() == MODELS.lower():
        name, _, version = container.rpartition(":")
        document = references.version(platform, workspace["id"], "models", name, version)
        return references.location(platform, workspace["id"], document.id, "models"), _MODEL_ROOT
    store = f"azureml://datastores/workspaceartifactstore/paths/{origin}/{container}"
    return references.location(platform, workspace["id"], store), ""
