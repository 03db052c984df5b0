"""The component of a model deployment: an anonymous parallel component that runs the deployment's script."""

from __future__ import annotations

import hashlib
import shlex
import shutil
import tempfile
import uuid
from pathlib import Path

from amlite.core import contained
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.batch import entry, mlflow_script, settings
from amlite.services.machinelearning import datastores, references, versions
from amlite.services.machinelearning.assets import ANONYMOUS
from amlite.services.registries import access as registry_access
from amlite.services.storage import blobs

_TYPE = "batch/components"
_ENTRY = "_batch_entry.py"
_MLFLOW_SCRIPT = "_mlflow_script.py"
_MLFLOW_IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"


async def provision(platform: Platform, deployment_id: str) -> None:
    """Create the component of a model deployment. Raises AzureError 400 if its code or model cannot be used."""
    document = platform.store.get(deployment_id)
    if document is None or settings.is_pipeline(document.body):
        return
    properties = document.body["properties"]
    workspace_id = deployment_id.rsplit("/", 4)[0]
    model = references.asset(platform, workspace_id, properties["model"]["assetId"], "models")
    place = references.location(platform, workspace_id, model.id, "models")
    code = properties.get("codeConfiguration") or {}
    script = code.get("scoringScript") or _MLFLOW_SCRIPT
    environment_id = properties.get("environmentId") or await _environment(platform, workspace_id, model.body, place)
    code_id = await _code(platform, workspace_id, code.get("codeId"), script)
    environment = references.asset(platform, workspace_id, environment_id, "environments")
    arguments = {
        "--script": script,
        "--model-name": "" if await blobs.exists(platform, place) else place.name,
        "--logging-level": properties["loggingLevel"],
    }
    said = shlex.join(part for pair in arguments.items() for part in pair)
    spec = {
        "type": "parallel",
        "display_name": "batchscoring",
        "is_deterministic": False,
        "inputs": {"data": {"type": "uri_folder"}, "model": {"type": str(model.body["properties"]["modelType"])}},
        "outputs": {"score": {"type": "uri_folder"}},
        "input_data": "${{inputs.data}}",
        "environment_variables": properties.get("environmentVariables") or {},
        "task": {
            "type": "run_function",
            "entry_script": _ENTRY,
            "program_arguments": f"{said} --model ${{{{inputs.model}}}} --score ${{{{outputs.score}}}}",
            "code": f"azureml:{code_id}",
            "environment": f"azureml:{environment.id}",
        },
    }
    name = ANONYMOUS["components"]
    made = versions.create(
        platform, workspace_id, "components", name, {"componentSpec": spec}, version=str(uuid.uuid4())
    )
    # The id is below the deployment's, so that the component is deleted with the deployment.
    platform.store.put(f"{deployment_id}/component", _TYPE, {"component": made.id, "model": model.id})


def provisioned(platform: Platform, deployment: Json) -> Json:
    """Return the ids of a deployment's `component` and `model`. Raises AzureError 409 before it is provisioned."""
    document = platform.store.get(f"{deployment['id']}/component")
    if document is None or deployment["properties"]["provisioningState"] != "Succeeded":
        raise AzureError(
            409,
            "DeploymentNotReady",
            f"Deployment '{deployment['name']}' is {deployment['properties']['provisioningState']}; it cannot be "
            "invoked.",
        )
    return document.body


async def _code(platform: Platform, workspace_id: str, code_id: str | None, script: str) -> str:
    """Upload the deployment's code together with the entry script, and return the id of the code asset."""
    name = str(uuid.uuid4())
    with tempfile.TemporaryDirectory(prefix="amlite-batch-") as made:
        folder = Path(made)
        if code_id:
            files = references.location(platform, workspace_id, code_id, "codes")
            await _require(platform, workspace_id, files)
            await blobs.download_tree(platform, files, folder)
            if not contained.is_file(folder / script, folder):
                raise AzureError(
                    400, "BadArgument", f"codeConfiguration.scoringScript: there is no '{script}' in the code."
                )
        for source, target in ((entry, _ENTRY), (mlflow_script, _MLFLOW_SCRIPT)):
            shutil.copyfile(str(source.__file__), folder / target)
        uri = f"azureml://datastores/workspaceblobstore/paths/LocalUpload/{name}"
        place = references.location(platform, workspace_id, uri)
        await blobs.upload_tree(platform, folder, place)
    return versions.create(platform, workspace_id, "codes", name, {"codeUri": place.url}, version="1").id


async def _environment(platform: Platform, workspace_id: str, model: Json, place: blobs.BlobPath) -> str:
    """Register the environment in an MLflow model's conda file, and return its id."""
    await _require(platform, workspace_id, place)
    try:
        conda = (await blobs.read(platform, place / "conda.yaml")).decode()
    except AzureError as error:
        raise AzureError(
            400, "BadArgument", f"The model '{model['id']}' has no conda.yaml: name an environment. ({error.message})"
        ) from error
    properties = {"image": _MLFLOW_IMAGE, "condaFile": conda}
    version = hashlib.sha256(conda.encode()).hexdigest()[:32]
    name = ANONYMOUS["environments"]
    return versions.create(platform, workspace_id, "environments", name, properties, version=version).id


async def _require(platform: Platform, workspace_id: str, place: blobs.BlobPath) -> None:
    """Raise AzureError 403 unless the workspace may read files: by its own means, or by a role on their registry."""
    registry = registry_access.owner_of(platform, place.account)
    identity = registry_access.workspace_identity(platform, workspace_id)
    if registry is None or not registry_access.may_read(platform, registry, identity):
        await datastores.require(platform, workspace_id, place, None)
