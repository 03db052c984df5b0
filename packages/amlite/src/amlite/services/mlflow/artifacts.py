"""The locations of the artifacts of runs and models.

An artifact has an origin, a container and a path. It is stored at `<origin>/<container>/<path>` in the workspace's
artifact store: an artifact of a run at `ExperimentRun/dcid.<run>/…`, one of an upload at `LocalUpload/<container>/…`.
Only amlite has the origin `Models`. It means a registered model, wherever its files are, which do not change any more.

An artifact is written once. A job's token writes artifacts of runs only, and only of its own tree: of its pipeline's
steps, of a sweep's trials, and of the runs that it created. Azure's own is a Contributor of the whole workspace.
"""

from __future__ import annotations

from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.machinelearning import datastores, references
from amlite.services.mlflow import tracking
from amlite.services.storage.blobs import BlobPath

RUNS = "ExperimentRun"
RUN_PREFIX = "dcid."
MODELS = "Models"
_MODEL_ROOT = "model"


async def place(
    platform: Platform, workspace: Json, origin: str, container: str, who: Principal | None
) -> tuple[BlobPath, str]:
    """Return the location of a container's artifacts, and the prefix of its paths that blob names do not have.

    Raises AzureError 403 for a model whose files neither the workspace nor the caller may read.
    """
    if origin.lower() == MODELS.lower():
        name, _, version = container.rpartition(":")
        document = references.version(platform, workspace["id"], "models", name, version)
        found = references.location(platform, workspace["id"], document.id, "models")
        await datastores.require(platform, workspace["id"], found, who)
        return found, _MODEL_ROOT
    store = f"azureml://datastores/workspaceartifactstore/paths/{origin}/{container}"
    return references.location(platform, workspace["id"], store), ""


def check_write(platform: Platform, workspace: Json, origin: str, container: str, principal: Principal | None) -> None:
    """Raise AzureError 400 for the files of a registered model, and 403 for a job's token in a foreign run."""
    if origin.lower() == MODELS.lower():
        raise AzureError(400, "UserError", f"The files of model '{container}' cannot change: register another version.")
    if principal is None or not principal.root:
        return
    run = container.removeprefix(RUN_PREFIX)
    if origin != RUNS or run == container or not tracking.belongs(platform, workspace, run, principal.root):
        raise AzureError(
            403,
            "UserError",
            f"The token of job '{principal.root}' writes artifacts of its own runs only, not '{origin}/{container}'.",
        )
